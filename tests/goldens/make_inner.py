"""Golden values of what lies inside whole models: the features before the last layer, and Grad-CAM's maps, in PyTorch.

Weights and images are those of make_models.py's formula; the maps follow arXiv:1610.02391 (equations 1 and 2): the gradient of the
logit of a class, averaged over the places, weighs the channels of the last map of features, and what is below 0 becomes 0.

    python make_inner.py --out DIR            writes DIR/inner.safetensors

Needs what make_models.py needs. Computed in float64, rounded once to float32.
"""

import argparse
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from make_models import CLASSES, MODELS, prepared, uniform
from safetensors.numpy import save_file


def resnet(m, x):
    x = m.maxpool(m.relu(m.bn1(m.conv1(x))))
    x = m.layer4(m.layer3(m.layer2(m.layer1(x))))
    features = torch.flatten(m.avgpool(x), 1)
    return x, features, m.fc(features)


def densenet(m, x):
    x = F.relu(m.features(x))
    features = x.mean((2, 3))
    return x, features, m.classifier(features)


def mobilenet_v3(m, x):
    x = m.features(x)
    features = m.classifier[:-1](x.mean((2, 3)))
    return x, features, m.classifier[-1](features)


def squeezenet(m, x):
    features = m.features(x)
    x = F.relu(m.classifier[1](features))
    return x, features.mean((2, 3)), x.mean((2, 3))


def alexnet(m, x):
    x = m.features[:12](x)
    features = m.classifier[:6](torch.flatten(m.avgpool(m.features[12](x)), 1))
    return x, features, m.classifier[6](features)


def airbench94(m, x):
    x = m[:5](x)
    features = torch.flatten(m[5](x), 1)
    return x, features, m[7:](features)


def vit(m, x):
    x = m.norm_pre(m.patch_drop(m._pos_embed(m.patch_embed(x))))
    x = m.blocks[:-1](x)
    last = m.blocks[-1]
    seen = last.norm1(x)
    x = x + last.attn(seen)
    x = x + last.mlp(last.norm2(x))
    features = m.norm(x)[:, 0]
    return seen, features, m.head(features)


INNER = {
    "airbench94": airbench94,
    "alexnet-narrow": alexnet,
    "densenet121": densenet,
    "mobilenet-v3-small": mobilenet_v3,
    "resnet18": resnet,
    "squeezenet": squeezenet,
    "vit-tiny": vit,
}


def classes(batch):
    return torch.arange(batch) * 3 % CLASSES


def run(name, batch, side, channels, make):
    model = prepared(make, side, torch.float64).eval()
    shape = (batch, channels, side, side)
    images = torch.from_numpy(uniform(f"{name}/images", int(np.prod(shape))).astype(np.float32)).double().reshape(shape)
    last, features, logits = INNER[name](model, images)
    assert torch.allclose(logits, model(images), atol=1e-9), name
    chosen = logits[torch.arange(batch), classes(batch)].sum()
    (gradient,) = torch.autograd.grad(chosen, last)
    if last.dim() == 3:
        h = int((last.shape[1] - 1) ** 0.5)
        last, gradient = (v[:, 1:].transpose(1, 2).reshape(batch, -1, h, h) for v in (last, gradient))
    heat = F.relu((gradient.mean((2, 3), keepdim=True) * last).sum(1))
    out = {"features": features, "map": heat}
    return {key: np.ascontiguousarray(value.detach().numpy().astype(np.float32)) for key, value in out.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    torch.use_deterministic_algorithms(True)
    tensors, cases = {}, []
    for name, batch, side, channels, lr, make in MODELS:
        if name not in INNER:
            continue
        result = run(name, batch, side, channels, make)
        print(name, {key: (value.shape, float((value > 0).mean())) for key, value in result.items()}, flush=True)
        tensors.update({f"{name}/{key}": value for key, value in result.items()})
        attrs = {"batch": batch, "side": side, "channels": channels, "lr": lr}
        cases.append({"name": name, "op": "model", "attrs": attrs})
    save_file(tensors, args.out / "inner.safetensors", metadata={"cases": json.dumps(cases)})


if __name__ == "__main__":
    main()
