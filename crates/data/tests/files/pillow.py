"""Makes the files of pillow/ with Pillow and ImageMagick: images of every format with what Pillow reads of them, and one image
resized by Pillow. The tests only read them; run it in this folder to make them anew: python pillow.py"""
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

OUT = Path("pillow")
W, H = 46, 34
GREY = (114, 114, 114)

rng = np.random.default_rng(7)
y, x = np.mgrid[0:H, 0:W]
waves = np.stack([127 + 100 * np.sin(x / 7 + c) * np.cos(y / (4 + c)) for c in range(3)], -1)
rgb = Image.fromarray(np.clip(waves + rng.normal(0, 15, (H, W, 3)), 0, 255).astype(np.uint8))
alpha = Image.fromarray((255 * np.clip((x + y) / 50, 0, 1)).astype(np.uint8))
rgba = rgb.copy()
rgba.putalpha(alpha)


def on_white(image):
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):  # Pillow's convert clips it.
        return Image.fromarray(((np.asarray(image).astype(np.uint32) + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (255,) * 4), image).convert("RGB")
    return image.convert("RGB")


def formats():
    exif = Image.Exif()
    exif[0x0112] = 6
    save = lambda image, name, **more: image.save(OUT / name, **more)
    other = Image.eval(rgb, lambda v: 255 - v)
    save(rgb, "plain.jpg", quality=95)
    save(rgb, "progressive.jpg", quality=90, progressive=True)
    save(rgb.convert("L"), "grey.jpg", quality=95)
    save(rgb.convert("CMYK"), "cmyk.jpg", quality=95)
    save(rgb, "turned.jpg", quality=95, exif=exif)
    save(rgb, "plain.png")
    save(rgba, "alpha.png")
    save(rgba.convert("LA"), "grey_alpha.png")
    save(rgb.quantize(16), "palette.png")
    save(rgb.quantize(16), "palette_clear.png", transparency=3)
    save(rgb.convert("1"), "one_bit.png")
    save(Image.fromarray(np.asarray(rgb.convert("L")).astype(np.uint16) * 251), "grey_16.png")
    save(rgb, "turned.png", exif=exif)
    save(rgb, "lossy.webp", quality=95)
    save(rgba, "lossless_alpha.webp", lossless=True)
    save(rgb, "turned.webp", lossless=True, exif=exif)
    save(rgb, "moving.webp", lossless=True, save_all=True, append_images=[other], duration=100)
    save(rgb, "plain.bmp")
    save(rgb.quantize(16), "palette.bmp")
    save(rgb.convert("L"), "grey.bmp")
    save(rgb.quantize(32), "plain.gif")
    save(rgb.quantize(32), "moving.gif", save_all=True, append_images=[other.quantize(32)], duration=100)
    save(rgb.quantize(16), "clear.gif", transparency=2)
    save(rgb, "plain.tif")
    save(rgb, "lzw.tif", compression="tiff_lzw")
    save(rgba, "alpha_deflate.tif", compression="tiff_adobe_deflate")
    save(rgb.convert("CMYK"), "cmyk.tif")
    save(rgb.convert("1"), "one_bit.tif", compression="group4")
    save(Image.fromarray(np.asarray(rgb.convert("L")).astype(np.uint16) * 257), "grey_16.tif")
    save(rgb, "turned.tif", tiffinfo={0x0112: 6})
    convert = lambda *args: subprocess.run(["convert", str(OUT / "plain.png"), *args], check=True)
    convert("-depth", "16", f"PNG48:{OUT}/magick_16.png")
    convert("-define", "webp:lossless=true", f"{OUT}/magick.webp")
    convert("-compress", "RLE", f"BMP3:{OUT}/magick.bmp")
    convert("-interlace", "Plane", "-quality", "92", f"{OUT}/magick.jpg")
    convert("-compress", "Zip", "-depth", "16", f"{OUT}/magick_16.tif")
    convert("-colors", "64", f"{OUT}/magick.gif")
    for path in sorted(path for path in OUT.iterdir() if path.is_file()):
        image = on_white(Image.open(path)) if path.name != "magick_16.tif" else rgb
        image.save(OUT / "read" / f"{path.name}.png")


def resized():
    size = lambda text: tuple(reversed([int(n) for n in text.split("x")]))
    for mode, image in (("1", rgb.convert("L")), ("3", rgb), ("4", rgba)):
        for to in ("8x8", "17x23", "20x60", "50x7", "96x96"):
            squash = image.resize(size(to), Image.BILINEAR)
            crop = ImageOps.fit(image, size(to), Image.BILINEAR)
            fill = {"1": GREY[0], "3": GREY, "4": (*GREY, 255)}[mode]
            letterbox = ImageOps.pad(image, size(to), Image.BILINEAR, color=fill)
            for name, found in (("squash", squash), ("crop", crop), ("letterbox", letterbox)):
                found.save(OUT / "resized" / f"{name}_{to}_{mode}.png")


(OUT / "read").mkdir(parents=True, exist_ok=True)
(OUT / "resized").mkdir(exist_ok=True)
for path in OUT.glob("*.*"):
    path.unlink()
rgba.save(OUT / "resized" / "of_4.png")
rgb.save(OUT / "resized" / "of_3.png")
rgb.convert("L").save(OUT / "resized" / "of_1.png")
resized()
formats()
