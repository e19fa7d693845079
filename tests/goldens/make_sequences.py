"""Golden values of layers over sequences: RNN, GRU and LSTM, and a Transformer's encoder layer, in PyTorch.

    python make_sequences.py --out DIR        writes DIR/sequences.safetensors

Each case has the parameters under PyTorch's names, an input `x` `[N,T,D]`, perhaps `lengths`, the result `y` (batch first), a cotangent
`dy`, and the gradients `d/NAME` of the sum of `y dy`. Computed in float64, rounded once to float32.
"""

import argparse
import json
import pathlib

import numpy as np
import torch
from safetensors.numpy import save_file
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

CASES = [
    # name, class, features of x, of a state, layers, both ways, lengths, what is compared
    ("rnn", torch.nn.RNN, 5, 4, 1, False, None, "sequence"),
    ("gru", torch.nn.GRU, 5, 4, 1, False, None, "sequence"),
    ("lstm", torch.nn.LSTM, 5, 4, 1, False, None, "sequence"),
    ("gru-both-ways-last", torch.nn.GRU, 3, 4, 1, True, None, "last"),
    ("lstm-two-layers-both-ways", torch.nn.LSTM, 3, 4, 2, True, None, "sequence"),
    ("rnn-lengths-both-ways", torch.nn.RNN, 3, 4, 1, True, [9, 1, 5], "sequence"),
    ("gru-lengths-last", torch.nn.GRU, 3, 4, 2, True, [4, 9, 7], "last"),
    ("lstm-lengths", torch.nn.LSTM, 3, 4, 2, True, [2, 6, 9], "sequence"),
    ("lstm-lengths-last", torch.nn.LSTM, 3, 4, 1, False, [2, 6, 9], "last"),
]


def recurrent(make, inputs, features, layers, both, lengths, gives):
    net = make(inputs, features, num_layers=layers, bidirectional=both, batch_first=True).double()
    x = torch.randn(3, 9, inputs, dtype=torch.float64, requires_grad=True)
    if lengths is None:
        sequence, end = net(x)
    else:
        packed = pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
        sequence, end = net(packed)
        sequence, _ = pad_packed_sequence(sequence, batch_first=True, total_length=x.shape[1])
    state = end[0] if isinstance(end, tuple) else end
    ways = 2 if both else 1
    last = torch.cat(list(state[-ways:]), dim=1)
    return net, x, sequence if gives == "sequence" else last


def transformer(features, heads, hidden):
    net = torch.nn.TransformerEncoderLayer(
        features, heads, hidden, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    ).double()
    x = torch.randn(2, 7, features, dtype=torch.float64, requires_grad=True)
    for value in net.parameters():
        torch.nn.init.normal_(value, std=0.3)
    return net, x, net(x)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)
    tensors, cases = {}, []

    def add(name, op, attrs, net, x, y):
        dy = torch.randn(y.shape, dtype=torch.float64)
        (y * dy).sum().backward()
        found = {"x": x, "y": y, "dy": dy, "d/x": x.grad}
        for parameter, value in net.named_parameters():
            found[parameter], found[f"d/{parameter}"] = value, value.grad
        for key, value in found.items():
            tensors[f"{name}/{key}"] = np.ascontiguousarray(value.detach().numpy().astype(np.float32))
        cases.append({"name": name, "op": op, "attrs": attrs})

    for name, make, inputs, features, layers, both, lengths, gives in CASES:
        net, x, y = recurrent(make, inputs, features, layers, both, lengths, gives)
        attrs = {"features": features, "layers": layers, "both_ways": both, "gives": gives}
        add(name, make.__name__.lower(), attrs, net, x, y)
        if lengths is not None:
            tensors[f"{name}/lengths"] = np.array(lengths, dtype=np.int32)
    net, x, y = transformer(8, 2, 12)
    add("transformer", "transformer", {"heads": 2, "hidden": 12}, net, x, y)
    save_file(tensors, args.out / "sequences.safetensors", metadata={"cases": json.dumps(cases)})


if __name__ == "__main__":
    main()
