"""Golden values of whole models: forward pass, gradients, ten steps of training and running statistics, in PyTorch.

Weights, statistics, images and labels are made by one formula on both sides (`filled`), so that no tensor is stored: the file has
logits, losses, and a few projections of each gradient, parameter and statistic.

    python make_models.py --out DIR            writes DIR/models.safetensors
    python make_models.py --out DIR --check    tells how far PyTorch in float32 is from it

Needs torch, torchvision, timm, numpy and safetensors. Computed in float64, rounded once to float32.
"""

import argparse
import json
import math
import pathlib

import numpy as np
import timm
import torch
import torch.nn.functional as F
import torchvision.models as tv
from safetensors.numpy import load_file, save_file
from torch import nn

CLASSES = 10
STEPS = 10
PROJECTIONS = 2
MASK = (1 << 64) - 1


# ---- the formula -------------------------------------------------------------------------------------------------------


def fnv(text):
    """FNV-1a, 64 bits."""
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def uniform(name, n):
    """n numbers in [-1, 1) of 24 bits: splitmix64 of the name's hash and the index."""
    with np.errstate(over="ignore"):
        z = np.uint64(fnv(name)) + (np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1.0


def filled(name, shape):
    """A tensor of a model in PyTorch's order, rounded to float32: what it is follows from its name and shape."""
    u = uniform(name, int(np.prod(shape)))
    last = name.rsplit(".", 1)[-1]
    if last == "running_var":
        v = 1.0 + 0.25 * u
    elif last == "layer_scale":
        v = 0.5 + 0.25 * u
    elif last == "weight" and len(shape) == 1:
        v = 1.0 + 0.25 * u
    elif len(shape) in (1, 3):
        v = 0.125 * u
    else:
        v = u * math.sqrt(3.0 / np.prod(shape[1:]))
    return torch.from_numpy(v.astype(np.float32).astype(np.float64)).reshape(tuple(shape))


def projections(name, values):
    """The norm of a tensor in PyTorch's order, and its products with signs made of its name."""
    flat = values.detach().double().reshape(-1).numpy()
    out = [float(np.linalg.norm(flat))]
    for i in range(PROJECTIONS):
        signs = np.where(uniform(f"{name}/{i}", flat.size) < 0, -1.0, 1.0)
        out.append(float(signs @ flat))
    return out


def table(tensors):
    """What `projections` gives of each, in order of the names."""
    return np.array([projections(name, tensors[name]) for name in sorted(tensors)])


# ---- models that neither library has -----------------------------------------------------------------------------------


class Mlp(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(features, 512), nn.Linear(512, 512), nn.Linear(512, classes)

    def forward(self, x):
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))


class WideBlock(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(out)
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.convShortcut = nn.Conv2d(channels, out, 1, stride, bias=False) if channels != out else None

    def forward(self, x):
        start = F.relu(self.bn1(x))
        y = self.conv2(F.relu(self.bn2(self.conv1(start))))
        return y + (x if self.convShortcut is None else self.convShortcut(start))


class WideStage(nn.Module):
    def __init__(self, channels, out, blocks, stride):
        super().__init__()
        first = [WideBlock(channels, out, stride)]
        self.layer = nn.Sequential(*first, *[WideBlock(out, out, 1) for _ in range(blocks - 1)])

    def forward(self, x):
        return self.layer(x)


class WideResNet(nn.Module):
    def __init__(self, blocks, widen, classes):
        super().__init__()
        w = [16, 16 * widen, 32 * widen, 64 * widen]
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.block1 = WideStage(w[0], w[1], blocks, 1)
        self.block2 = WideStage(w[1], w[2], blocks, 2)
        self.block3 = WideStage(w[2], w[3], blocks, 2)
        self.bn1, self.fc = nn.BatchNorm2d(w[3]), nn.Linear(w[3], classes)

    def forward(self, x):
        y = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(F.relu(self.bn1(y)).mean((2, 3)))


class AirbenchGroup(nn.Module):
    def __init__(self, channels, out):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.norm1, self.norm2 = (nn.BatchNorm2d(out, eps=1e-12, momentum=0.4) for _ in range(2))

    def forward(self, x):
        y = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.gelu(self.norm2(self.conv2(y)))


def airbench94(classes):
    class Times(nn.Module):
        def forward(self, x):
            return x / 9

    net = nn.Sequential(
        nn.Conv2d(3, 24, 2), nn.GELU(), AirbenchGroup(24, 64), AirbenchGroup(64, 256), AirbenchGroup(256, 256),
        nn.MaxPool2d(3), nn.Flatten(), nn.Linear(256, classes, bias=False), Times())
    net[0].weight.requires_grad = False
    return net


# ---- the stems for images below 64 pixels ------------------------------------------------------------------------------


def stem_resnet(m):
    m.conv1, m.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()


def stem_densenet(m):
    m.features.conv0, m.features.pool0 = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()


def stem_stride(first):
    def change(m):
        first(m).stride = (1, 1)
    return change


def stem_shuffle(m):
    m.conv1[0].stride, m.maxpool = (1, 1), nn.Identity()


def stem_convnext(m):
    m.features[0][0] = nn.Conv2d(3, 96, 2, 2)


def stem_alexnet(m):
    m.features[0] = nn.Conv2d(3, 64, 5, padding=2)
    m.classifier[1], m.classifier[4] = nn.Linear(256 * 36, 64), nn.Linear(64, 64)
    m.classifier[6] = nn.Linear(64, CLASSES)


def vision(name, change=lambda m: None):
    def make(side):
        model = getattr(tv, name)(weights=None, num_classes=CLASSES)
        if side < 64:
            change(model)
        return model
    return make


# Name in the engine, images, their side and channels, learning rate, and the model.
MODELS = [
    ("mlp", 8, 28, 1, 0.02, lambda side: Mlp(side * side, CLASSES)),
    ("airbench94", 4, 32, 3, 0.005, lambda side: airbench94(CLASSES)),
    ("wide-resnet10-2", 8, 16, 3, 0.02, lambda side: WideResNet(1, 2, CLASSES)),
    ("alexnet-narrow", 8, 33, 3, 0.003, vision("alexnet", stem_alexnet)),
    ("resnet18", 4, 64, 3, 0.001, vision("resnet18")),
    ("resnet34", 4, 16, 3, 0.001, vision("resnet34", stem_resnet)),
    ("resnet50", 4, 64, 3, 0.001, vision("resnet50", stem_resnet)),
    ("densenet121", 4, 16, 3, 0.001, vision("densenet121", stem_densenet)),
    ("mobilenet-v2", 8, 20, 3, 0.001, vision("mobilenet_v2", stem_stride(lambda m: m.features[0][0]))),
    ("mobilenet-v3-small", 8, 20, 3, 0.001, vision("mobilenet_v3_small", stem_stride(lambda m: m.features[0][0]))),
    ("mobilenet-v3-large", 8, 20, 3, 0.001, vision("mobilenet_v3_large", stem_stride(lambda m: m.features[0][0]))),
    ("squeezenet", 4, 24, 3, 0.02, vision("squeezenet1_1", stem_stride(lambda m: m.features[0]))),
    ("shufflenet-v2", 8, 20, 3, 0.001, vision("shufflenet_v2_x1_0", stem_shuffle)),
    ("efficientnet-b0", 8, 20, 3, 0.001, vision("efficientnet_b0", stem_stride(lambda m: m.features[0][0]))),
    ("efficientnet-lite0", 4, 64, 3, 0.001, lambda side: timm.create_model("efficientnet_lite0", num_classes=CLASSES)),
    ("regnet-y-400mf", 8, 20, 3, 0.001, vision("regnet_y_400mf", stem_stride(lambda m: m.stem[0]))),
    ("convnext-tiny", 2, 16, 3, 0.001, vision("convnext_tiny", stem_convnext)),
    ("vit-tiny", 4, 16, 3, 0.01, lambda side: timm.create_model(
        "vit_tiny_patch16_224", num_classes=CLASSES, img_size=side, patch_size=4)),
]


# ---- a run -------------------------------------------------------------------------------------------------------------


def prepared(make, side, dtype):
    """The model with the formula's numbers, nothing random in it."""
    model = make(side)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if type(module).__name__ in ("StochasticDepth", "DropPath"):
            module.p = module.drop_prob = 0.0
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                tensor.copy_(filled(name, tensor.shape))
        for module in model.modules():
            if isinstance(module, AirbenchGroup):
                for norm in (module.norm1, module.norm2):
                    norm.weight.fill_(1.0).requires_grad_(False)
    return model.to(dtype)


def run(name, batch, side, channels, lr, make, dtype):
    model = prepared(make, side, dtype)
    shape = (batch, channels, side, side)
    images = torch.from_numpy(uniform(f"{name}/images", int(np.prod(shape))).astype(np.float32)).to(dtype).reshape(shape)
    labels = torch.arange(batch) % CLASSES
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.SGD(parameters.values(), lr=lr, momentum=0.9)
    start = {n: p.detach().clone() for n, p in parameters.items()}
    out = {}

    def logits():
        model.eval()
        with torch.no_grad():
            return model(images).double().numpy()

    out["logits"] = logits()
    losses = []
    for step in range(STEPS):
        model.train()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            out["gradients"] = table({n: p.grad for n, p in parameters.items()})
        optimizer.step()
    out["losses"] = np.array(losses)
    out["changes"] = table({n: p - start[n] for n, p in parameters.items()})
    statistics = {n: b for n, b in model.named_buffers() if "running_" in n}
    if statistics:
        out["statistics"] = table(statistics)
    out["logits_after"] = logits()
    return {key: value.astype(np.float32) for key, value in out.items()}


def error(got, want):
    """Relative error: in tables that of the worst row, by its norm; of others by their own norm."""
    got, want = got.astype(np.float64), want.astype(np.float64)
    if want.ndim == 2 and want.shape[1] == 1 + PROJECTIONS:
        return float((np.abs(got - want).max(1) / np.maximum(want[:, 0], 1e-3 * want[:, 0].max())).max())
    return float(np.linalg.norm(got - want) / np.linalg.norm(want))


def main():
    import time
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--only")
    args = parser.parse_args()
    torch.use_deterministic_algorithms(True)
    path = args.out / "models.safetensors"
    tensors, cases = {}, []
    old = load_file(path) if args.check else {}
    for name, batch, side, channels, lr, make in MODELS:
        if args.only and args.only not in name:
            continue
        started = time.time()
        result = run(name, batch, side, channels, lr, make, torch.float32 if args.check else torch.float64)
        if args.check:
            errors = {key: error(got, old[f"{name}/{key}"]) for key, got in result.items()}
            print(f"{name:20}", " ".join(f"{key} {e:.1e}" for key, e in errors.items()), flush=True)
            continue
        print(name, result["losses"].round(4), round(time.time() - started), flush=True)
        tensors.update({f"{name}/{key}": np.ascontiguousarray(value) for key, value in result.items()})
        attrs = {"batch": batch, "side": side, "channels": channels, "lr": lr}
        cases.append({"name": name, "op": "model", "attrs": attrs})
    if not args.check:
        save_file(tensors, path, metadata={"cases": json.dumps(cases)})


if __name__ == "__main__":
    main()
