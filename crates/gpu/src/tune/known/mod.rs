//! Tuned choices for devices that somebody measured: they ship with the program, so that the first step there needs no search.
//!
//! A table is a file of this folder, one a device. It is made on the device (`chiaro tune --export FILE`, or `benches/gpu/call.sh tune`
//! and then `cargo xtask gpu-results`). None ships that was not measured on the card itself.

mod device;
mod list;
mod table;

use std::collections::BTreeMap;

use crate::AdapterSummary;
use crate::kernels::{DeviceClass, VariantChoice};
pub use table::KnownTable;

/// Where tuned choices come from that no search on this machine found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum KnownTables {
    /// The tables that ship with the program.
    #[default]
    Shipped,
    /// Those of a caller.
    Of(Vec<KnownTable>),
}

impl KnownTables {
    /// The table of an adapter, where kernels are chosen for its own class; `None` where it was not measured.
    pub fn of(&self, adapter: &AdapterSummary) -> Option<KnownTable> {
        self.of_class(adapter, DeviceClass::of(adapter))
    }

    fn of_class(&self, adapter: &AdapterSummary, class: DeviceClass) -> Option<KnownTable> {
        let is = |table: &KnownTable| table.is_of(adapter, class);
        match self {
            // A text that is no table is no reason to fail; a test sees to it that none ships.
            KnownTables::Shipped => list::SHIPPED.iter().filter_map(|text| KnownTable::parse(text).ok()).find(is),
            KnownTables::Of(tables) => tables.iter().find(|table| is(table)).cloned(),
        }
    }

    /// What is known of an adapter's kernels where they are chosen for a class.
    pub(crate) fn choices(&self, adapter: &AdapterSummary, class: DeviceClass) -> BTreeMap<String, VariantChoice> {
        self.of_class(adapter, class).map(|table| table.choices()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chiaro_shaders::Tile;

    #[test]
    fn every_table_of_the_folder_ships_and_is_whole() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tune/known");
        let files = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
        let mut tables: Vec<String> = files
            .filter(|path| path.extension().is_some_and(|e| e == "json"))
            .map(|path| std::fs::read_to_string(path).expect("a text"))
            .collect();
        let mut shipped: Vec<String> = list::SHIPPED.iter().map(ToString::to_string).collect();
        tables.sort();
        shipped.sort();
        assert_eq!(shipped, tables, "cargo xtask gpu-results writes the list");
        for text in shipped {
            let table = KnownTable::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(table.faults(), Vec::<String>::new(), "{}", table.measured());
            assert_eq!(table.text().as_ref(), Ok(&text), "as it is written");
        }
    }

    #[test]
    fn a_table_is_found_by_its_device_and_an_unknown_tile_costs_that_entry_alone() {
        let card = device::tests::adapter("NVIDIA H100 80GB HBM3", "NVIDIA 580.159.04", (0x10de, 0x2330));
        let class = DeviceClass::of(&card);
        let choice = |tile| VariantChoice { tile: Some(tile), parts: Some(4), threads: None };
        let all = [("a", choice(Tile::LARGE)), ("b", choice(Tile::SMALL)), ("c", VariantChoice::default())];
        let all = all.map(|(key, choice)| (key.to_owned(), choice));
        let table = KnownTable::new(&card, class, &BTreeMap::from(all.clone()));
        let text = table.text().expect("a text");
        assert_eq!(KnownTable::parse(&text), Ok(table.clone()));
        let known = |text: &str, adapter: &AdapterSummary| {
            let table = KnownTable::parse(text).expect("a table");
            KnownTables::Of(vec![table]).choices(adapter, DeviceClass::of(adapter))
        };
        assert_eq!(known(&text, &card), BTreeMap::from(all.clone()));
        let later = AdapterSummary { driver: "NVIDIA 600.1".to_owned(), ..card.clone() };
        assert_eq!(known(&text, &later), BTreeMap::from(all.clone()), "another version of the driver");

        let odd = text.replace(&Tile::SMALL.to_string(), "workgroup 1x1x1/1x1");
        assert_eq!(known(&odd, &card).into_keys().collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(KnownTable::parse(&odd).expect("a table").faults().len(), 1);
        let other = AdapterSummary { name: "NVIDIA H200".to_owned(), ..card.clone() };
        assert!(known(&text, &other).is_empty());
        let format = format!("\"format\": {}", super::super::file::FORMAT);
        assert!(known(&text.replace(&format, "\"format\": 0"), &card).is_empty(), "of older kernels");
        assert!(KnownTable::parse(&text[1..]).is_err());
    }
}
