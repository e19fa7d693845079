"""Baskets, and what mlxtend says of them.

    python make_apriori.py --baskets ../../data/tabular --out DIR   writes baskets_18.csv and baskets_2000.csv there, and DIR/apriori.json

The 18 baskets are those of a lesson; the 2,000 are drawn, in a way that a grocery's are: things have their own chance, and some bring
others along. Needs mlxtend 0.25 and pandas.
"""

import argparse
import json
import pathlib
import random

import pandas as pd
from mlxtend.frequent_patterns import apriori, association_rules
from mlxtend.preprocessing import TransactionEncoder

LESSON = """milk bread butter
bread butter
milk bread
beer nappies crisps
milk nappies beer
bread butter jam
milk bread butter jam
beer crisps
nappies milk beer bread
bread jam
milk butter
beer nappies
milk bread nappies beer
butter jam bread
crisps beer nappies milk
milk bread butter crisps
jam butter
milk nappies beer crisps"""

CHANCE = {
    "milk": 0.26, "bread": 0.24, "butter": 0.11, "eggs": 0.13, "cheese": 0.12, "yogurt": 0.14, "apples": 0.12, "bananas": 0.13,
    "tomatoes": 0.11, "onions": 0.09, "potatoes": 0.10, "carrots": 0.08, "chicken": 0.09, "beef": 0.07, "pork": 0.06, "fish": 0.05,
    "rice": 0.06, "pasta": 0.08, "flour": 0.04, "sugar": 0.05, "coffee": 0.08, "tea": 0.05, "water": 0.15, "juice": 0.08,
    "beer": 0.10, "wine": 0.07, "soda": 0.13, "crisps": 0.07, "chocolate": 0.09, "biscuits": 0.06, "nappies": 0.03, "soap": 0.05,
    "jam": 0.04, "honey": 0.02, "oil": 0.04, "vinegar": 0.02, "sausages": 0.10, "ham": 0.08, "cream": 0.07, "napkins": 0.04,
}
BRINGS = [
    ("butter", "bread", 0.45), ("jam", "butter", 0.35), ("pasta", "tomatoes", 0.45), ("beer", "crisps", 0.30), ("nappies", "beer", 0.35),
    ("flour", "sugar", 0.40), ("flour", "eggs", 0.45), ("coffee", "cream", 0.30), ("wine", "cheese", 0.35), ("sausages", "bread", 0.35),
    ("ham", "cheese", 0.30), ("onions", "potatoes", 0.40), ("onions", "carrots", 0.35), ("oil", "vinegar", 0.30), ("yogurt", "milk", 0.40),
]


def drawn(count):
    numbers = random.Random(2)
    baskets = []
    while len(baskets) < count:
        basket = [thing for thing, chance in CHANCE.items() if numbers.random() < chance]
        for one, other, chance in BRINGS:
            if one in basket and other not in basket and numbers.random() < chance:
                basket.append(other)
        if basket:
            baskets.append(basket)
    return baskets


def asked(baskets, support, confidence):
    encoder = TransactionEncoder()
    table = pd.DataFrame(encoder.fit(baskets).transform(baskets), columns=encoder.columns_)
    sets = apriori(table, min_support=support, use_colnames=True)
    rules = association_rules(sets, metric="confidence", min_threshold=confidence)
    numbers = ["support", "confidence", "lift", "leverage"]
    return {
        "support": support,
        "confidence": confidence,
        "sets": sorted([sorted(s), float(v)] for s, v in zip(sets["itemsets"], sets["support"])),
        "rules": sorted(
            [sorted(r["antecedents"]), sorted(r["consequents"])] + [float(r[n]) for n in numbers] for _, r in rules.iterrows()
        ),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--baskets", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    found = {}
    for name, baskets, support, confidence in [
        ("baskets_18", [line.split() for line in LESSON.splitlines()], 0.2, 0.6),
        ("baskets_2000", drawn(2000), 0.02, 0.3),
    ]:
        (args.baskets / f"{name}.csv").write_text("".join(",".join(basket) + "\n" for basket in baskets))
        found[name] = asked(baskets, support, confidence)
        print(name, len(found[name]["sets"]), "sets,", len(found[name]["rules"]), "rules")
    (args.out / "apriori.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
