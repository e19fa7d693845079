"""Writes metrics.json: what scikit-learn says of probabilities and labels (python make_metrics.py; needs numpy and scikit-learn).

The calibration error is Guo et al.'s (2017), by NumPy: scikit-learn has none.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn import metrics as m

warnings.filterwarnings("ignore")


def calibration_error(p, y, bins=15):
    sure, right = p.max(axis=1), p.argmax(axis=1) == y
    place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    parts = [place == b for b in range(bins)]
    return sum(abs(right[i].mean() - sure[i].mean()) * i.mean() for i in parts if i.any())


def single(name, p, y, with_top5):
    k = p.shape[1]
    said = p.argmax(axis=1)
    of = lambda average: [float(v) for v in m.precision_recall_fscore_support(y, said, average=average)[:3]]
    labels = list(range(k))
    precision, recall, f1, samples = m.precision_recall_fscore_support(y, said, labels=labels)
    case = {
        "name": name,
        "classes": k,
        "probabilities": [[float(v) for v in row] for row in p],
        "labels": [int(v) for v in y],
        "loss": float(m.log_loss(y, p, labels=labels)),
        "accuracy": float(m.accuracy_score(y, said)),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "samples": samples.tolist(),
        "macro": of("macro"),
        "weighted": of("weighted"),
        "auroc": [float(m.roc_auc_score(y == c, p[:, c])) if (y == c).any() else None for c in labels],
        "average_precision": [float(m.average_precision_score(y == c, p[:, c])) if (y == c).any() else None for c in labels],
        "calibration_error": float(calibration_error(p, y)),
        "confusion": m.confusion_matrix(y, said, labels=labels).tolist(),
    }
    if with_top5:
        case["top5"] = float(m.top_k_accuracy_score(y, p, k=5, labels=labels))
    if all((y == c).any() for c in labels):
        for average in ["macro", "weighted"]:
            case[f"auroc_{average}"] = float(m.roc_auc_score(y, p, multi_class="ovr", average=average))
            onehot = np.eye(k)[y]
            case[f"average_precision_{average}"] = float(m.average_precision_score(onehot, p, average=average))
    return case


def several(name, p, t):
    said = p > 0.5
    of = lambda average: [float(v) for v in m.precision_recall_fscore_support(t, said, average=average)[:3]]
    precision, recall, f1, samples = m.precision_recall_fscore_support(t, said)
    return {
        "name": name,
        "classes": p.shape[1],
        "probabilities": [[float(v) for v in row] for row in p],
        "shown": [[int(v) for v in row] for row in t],
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "samples": samples.tolist(),
        "macro": of("macro"),
        "weighted": of("weighted"),
        "auroc": [float(v) for v in m.roc_auc_score(t, p, average=None)],
        "average_precision": [float(v) for v in m.average_precision_score(t, p, average=None)],
        "auroc_macro": float(m.roc_auc_score(t, p, average="macro")),
        "auroc_weighted": float(m.roc_auc_score(t, p, average="weighted")),
        "average_precision_macro": float(m.average_precision_score(t, p, average="macro")),
        "average_precision_weighted": float(m.average_precision_score(t, p, average="weighted")),
    }


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def main():
    rng = np.random.default_rng(11)
    y = rng.choice(7, 120, p=[0.3, 0.2, 0.15, 0.1, 0.1, 0.1, 0.05])
    z = rng.normal(size=(120, 7)) + 1.7 * np.eye(7)[y]
    cases = [single("seven classes", softmax(z), y, True)]
    # Scores that many images share: 1/20 parts, of which each image has 20.
    y3 = rng.integers(0, 3, 60)
    coarse = np.array([rng.multinomial(20, np.full(3, 0.2) + 0.4 * np.eye(3)[c]) for c in y3]) / 20
    cases.append(single("many equal scores", coarse, y3, False))
    # A class that no image has and one that is never said; another is neither.
    y5 = rng.choice([0, 1, 4], 40)
    z5 = rng.normal(size=(40, 6)) + 2 * np.eye(6)[y5] + np.array([0, 0, 0.5, -50, -20, -50])
    cases.append(single("missing classes", softmax(z5), y5, False))
    t = (rng.random((80, 4)) < [0.5, 0.3, 0.2, 0.1]).astype(int)
    t[0] = 1
    p = np.round(1 / (1 + np.exp(-(rng.normal(size=(80, 4)) + 1.5 * (t - 0.5)))), 2)
    cases.append(several("several labels", p, t))
    # Temperature: by a scan of the log loss, to six digits.
    y9 = rng.integers(0, 5, 300)
    z9 = 4 * (rng.normal(size=(300, 5)) + 1.5 * np.eye(5)[y9])
    losses = lambda temps: [m.log_loss(y9, softmax(z9 / t), labels=list(range(5))) for t in temps]
    low, high = 0.05, 20.0
    for _ in range(12):
        temps = np.linspace(low, high, 41)
        best = int(np.argmin(losses(temps)))
        low, high = temps[max(best - 1, 0)], temps[min(best + 1, 40)]
    t9 = (low + high) / 2
    scaling = {
        "logits": z9.tolist(),
        "labels": y9.tolist(),
        "temperature": t9,
        "loss_before": losses([1.0])[0],
        "loss_after": losses([t9])[0],
        "error_before": float(calibration_error(softmax(z9), y9)),
        "error_after": float(calibration_error(softmax(z9 / t9), y9)),
    }
    out = Path(__file__).with_name("metrics.json")
    out.write_text(json.dumps({"scikit-learn": sklearn.__version__, "cases": cases, "scaling": scaling}, indent=None) + "\n")


main()
