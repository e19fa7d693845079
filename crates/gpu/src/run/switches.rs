//! Variants that someone wants to see in place of those that suit: for ablations, which then need no other program.

use chiaro_graph::plan::Step;
use chiaro_shaders::{Memory, Tile};

use crate::AdapterLimits;
use crate::kernels::{self, VariantChoice};

/// A tile and a split for every kernel that can have them; the others keep what suits them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forced {
    tile: Option<Tile>,
    parts: Option<u32>,
}

impl Forced {
    /// A tile by its name as reports have it, such as `128x64x16/8x4` (with workgroup memory), `direct 16x32x1/8x4`,
    /// `cooperative16 64x64x32/32x32` or, with two stages, `cooperative16 64x64x32x2/32x32`; and the parts in which the terms of weight gradients and of products of
    /// few tiles are summed, at most as many as the plan has scratch for (fewer than four leave a product whole).
    ///
    /// # Errors
    /// A message with the known names if there is no such tile.
    pub fn new(tile: Option<&str>, parts: Option<u32>) -> Result<Forced, String> {
        let named = |text: &str| {
            let text = text.trim().to_lowercase();
            let known = Tile::named(&text).or_else(|| Tile::named(&format!("workgroup {text}")));
            known.ok_or_else(|| {
                let all: Vec<String> = Tile::ALL.iter().chain(&Tile::COOPERATIVE).map(ToString::to_string).collect();
                format!("there is no tile '{text}'; known are {} ('workgroup' may be left out), and others whose parts divide one another", all.join(", "))
            })
        };
        Ok(Forced { tile: tile.map(named).transpose()?, parts })
    }

    /// The tile, if it is one of cooperative matrices.
    pub(crate) fn cooperative(&self) -> Option<Tile> {
        self.tile.filter(|tile| matches!(tile.memory, Memory::Cooperative { .. }))
    }

    /// What becomes of a step's choice, where the device can run the tile and the kernel can have it.
    pub(crate) fn choice(
        &self,
        step: &Step,
        limits: &AdapterLimits,
        cooperative: &[Tile],
        known: VariantChoice,
    ) -> Option<VariantChoice> {
        let runs = |tile: &Tile| {
            let trusted = !matches!(tile.memory, Memory::Cooperative { .. }) || cooperative.contains(tile);
            let room = tile.workgroup_bytes() <= limits.workgroup_bytes;
            trusted && room && tile.threads() <= limits.workgroup_invocations
        };
        let reduces = |tile: &Tile| step.columns.is_none() || tile.reduces(kernels::reduced_columns(step));
        let tile = self.tile.filter(|tile| runs(tile) && reduces(tile));
        let choice = VariantChoice { tile: tile.or(known.tile), parts: self.parts.or(known.parts), ..known };
        (tile.is_some() || self.parts.is_some()).then_some(choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Variants;
    use chiaro_graph::plan::Plan;
    use chiaro_graph::{DType, Graph};

    #[test]
    fn a_tile_is_known_by_its_name_in_reports_and_a_wrong_one_names_them_all() {
        for tile in Tile::ALL.into_iter().chain(Tile::COOPERATIVE) {
            assert_eq!(Forced::new(Some(&tile.to_string()), None), Ok(Forced { tile: Some(tile), parts: None }));
        }
        let short = Forced::new(Some("128x128x16/8x8"), Some(4)).expect("known");
        assert_eq!(short, Forced { tile: Some(Tile::LARGE), parts: Some(4) });
        let error = Forced::new(Some("7x7"), None).expect_err("no such tile");
        assert!(error.contains("'7x7'") && error.contains("cooperative16by4 128x128x32/64x32"), "{error}");
    }
    #[test]
    fn what_is_not_forced_stays_as_it_was_tuned() {
        let mut g = Graph::new();
        let x = g.input("x", &[64, 64], DType::F32).expect("new");
        let y = g.matmul(x, x, false, false).expect("fits");
        g.output("y", y).expect("new");
        let plan = Plan::new(&g, &kernels::plan_options(&Variants::GPU)).expect("a plan");
        let limits = AdapterLimits { workgroup_bytes: 32768, workgroup_invocations: 256, ..AdapterLimits::default() };
        let known = VariantChoice { tile: Some(Tile::SMALL), parts: Some(3), threads: Some(64) };
        let choice = |tile, parts| Forced::new(tile, parts).expect("known").choice(&plan.steps[0], &limits, &[], known);
        assert_eq!(choice(None, None), None);
        assert_eq!(choice(None, Some(5)), Some(VariantChoice { parts: Some(5), ..known }));
        assert_eq!(choice(Some("128x64x16/8x4"), None), Some(VariantChoice { tile: Some(Tile::FOURS[0]), ..known }));
        // The adapter has no cooperative matrices.
        assert_eq!(choice(Some("cooperative16 64x64x32/32x32"), None), None);
    }
}
