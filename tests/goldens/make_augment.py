"""Images changed by torchvision, for the test of Chiaro's augmentation: one smooth picture, and what each function makes of it.

python make_augment.py augment.safetensors   (torch 2.15, torchvision 0.29)
"""

import sys

import torch
import torchvision.transforms.functional as F
from safetensors.torch import save_file
from torchvision.transforms import InterpolationMode

H, W = 24, 20
FILL = [124.0, 116.0, 104.0]
y, x = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
planes = [
    127 + 100 * torch.sin(y / 5.0 + 0.3) * torch.cos(x / 4.0),
    110 + 90 * torch.cos((x + y) / 6.0),
    60 + 6.0 * x + 2.0 * torch.sin(y / 3.0),
]
image = torch.stack(planes).round().clamp(0, 255).to(torch.uint8)
exact = image.float()
linear = InterpolationMode.BILINEAR


def affine(angle=0.0, translate=(0, 0), shear=(0.0, 0.0)):
    return F.affine(exact, angle, list(translate), 1.0, list(shear), interpolation=linear, fill=FILL)


start = [[0, 0], [W - 1, 0], [W - 1, H - 1], [0, H - 1]]
end = [[2, 3], [W - 3, 1], [W - 1, H - 4], [4, H - 2]]
out = {
    "image": image,
    "rotate_30": F.rotate(exact, 30.0, interpolation=linear, fill=FILL),
    "shear_across_20": affine(shear=(20.0, 0.0)),
    "translate_3_right_2_down": affine(translate=(3, 2)),
    "perspective": F.perspective(exact, start, end, interpolation=linear, fill=FILL),
    "resized_crop": F.resized_crop(exact, 4, 6, 12, 10, [H, W], interpolation=linear, antialias=False),
    "hflip": F.hflip(image),
    "vflip": F.vflip(image),
    "brightness_1.3": F.adjust_brightness(image, 1.3),
    "contrast_0.6": F.adjust_contrast(image, 0.6),
    "saturation_0.4": F.adjust_saturation(image, 0.4),
    "saturation_1.5": F.adjust_saturation(image, 1.5),
    "grey": F.rgb_to_grayscale(image, 3),
    "posterize_4": F.posterize(image, 4),
    "solarize_128": F.solarize(image, 128),
    "equalize": F.equalize(image),
    "autocontrast": F.autocontrast(image),
}
out = {name: value.float().permute(1, 2, 0).contiguous() for name, value in out.items()}
save_file(out, sys.argv[1])
