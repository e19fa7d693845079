"""A table as it comes from people, and what pandas makes of it by the rules of `examples/data_cleaning.rs`.

    python make_cleaning.py --tables ../../data/tabular --out DIR   writes houses_messy.csv and coasts.csv there, and DIR/cleaned.json

The houses are 300 of California's; what is wrong with them is drawn here. Needs pandas and NumPy.
"""

import argparse
import json
import pathlib

import numpy as np
import pandas as pd

KEPT = ["median_income", "total_rooms", "total_bedrooms", "households", "median_house_value", "ocean_proximity"]
NUMBERS = KEPT[:-1]


def messy(houses):
    numbers = np.random.default_rng(3)
    rows = houses.iloc[numbers.choice(len(houses), 300, replace=False)][KEPT].reset_index(drop=True)
    words = rows["ocean_proximity"].astype(object)
    forms = [str.lower, str.title, lambda w: f"  {w}", lambda w: w.replace(" ", "   "), lambda w: f"{w} "]
    for at in numbers.choice(300, 120, replace=False):
        words[at] = forms[at % len(forms)](words[at])
    words[numbers.choice(300, 9, replace=False)] = None
    rows["ocean_proximity"] = words
    for column, count in [("median_income", 14), ("total_rooms", 8), ("households", 5)]:
        rows.loc[numbers.choice(300, count, replace=False), column] = np.nan
    for at in numbers.choice(300, 6, replace=False):
        rows.loc[at, "median_income"] = round(float(numbers.uniform(60, 400)), 4)
    again = rows.iloc[numbers.choice(300, 20, replace=False)]
    return pd.concat([rows, again]).sample(frac=1, random_state=4).reset_index(drop=True)


COASTS = pd.DataFrame(
    {
        "coast": ["<1h ocean", "inland", "near bay", "near ocean", "far away"],
        "minutes_to_sea": [35, 140, 20, 5, 600],
    }
)


def cleaned(rows, coasts):
    rows = rows.copy()
    rows["ocean_proximity"] = rows["ocean_proximity"].str.strip().str.lower().str.replace(r"\s+", " ", regex=True)
    rows = rows.drop_duplicates(keep="first").reset_index(drop=True)
    rows[NUMBERS] = rows[NUMBERS].fillna(rows[NUMBERS].median())
    rows["ocean_proximity"] = rows["ocean_proximity"].fillna("unknown")
    for column in NUMBERS:
        low, high = rows[column].quantile(0.25), rows[column].quantile(0.75)
        reach = 1.5 * (high - low)
        rows[column] = rows[column].clip(low - reach, high + reach)
    return rows.merge(coasts.rename(columns={"coast": "ocean_proximity"}), on="ocean_proximity", how="left")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tables", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    messy(pd.read_csv(args.tables / "california_housing.csv.gz")).to_csv(args.tables / "houses_messy.csv", index=False)
    COASTS.to_csv(args.tables / "coasts.csv", index=False)
    rows = cleaned(pd.read_csv(args.tables / "houses_messy.csv"), pd.read_csv(args.tables / "coasts.csv"))
    cells = {name: [None if pd.isna(cell) else cell for cell in column] for name, column in rows.items()}
    found = {"rows": cells, "correlation": rows[NUMBERS].corr().values.tolist()}
    (args.out / "cleaned.json").write_text(json.dumps(found))
    print(rows.shape, rows.isna().sum().to_dict())
    print(rows[NUMBERS].corr().round(3))


if __name__ == "__main__":
    main()
