//! The average of the weights, where a run keeps one: it is what is evaluated and saved, while training goes on with the weights
//! themselves.

use chiaro_graph::{Saved, Tensor};
use chiaro_nn::{arenas_saved, average_of};

use crate::error::Result;
use crate::trainer::Trainer;

impl Trainer {
    /// The arenas of the weights and of their averages, if there is an average by now.
    fn averages(&self) -> Vec<(String, String)> {
        let optimizers = &self.step.options.optimizers;
        let exists = optimizers.averaging().is_some_and(|average| average.exists(optimizers.updates(self.at.step)));
        let names = arenas_saved(&self.step.graph, Saved::Weights).map(|(arena, _)| arena.name.clone());
        names.filter(|_| exists).map(|name| (name.clone(), average_of(&name))).collect()
    }

    /// Puts the average in the weights' place on the device, and gives the weights.
    pub(crate) fn put_average(&mut self) -> Result<Vec<(String, Tensor)>> {
        let mut own = vec![];
        for (name, average) in self.averages() {
            own.push((name.clone(), self.backend.read_arena(&name)?));
            let average = self.backend.read_arena(&average)?;
            self.backend.write_arena(&name, &average)?;
        }
        Ok(own)
    }

    /// Puts the weights in their place again.
    pub(crate) fn put_back(&mut self, own: Vec<(String, Tensor)>) -> Result<()> {
        own.into_iter().try_for_each(|(name, values)| Ok(self.backend.write_arena(&name, &values)?))
    }

    /// All arenas with what was evaluated in the place of the weights.
    pub(crate) fn evaluated(&self, arenas: &[(String, Tensor)]) -> Vec<(String, Tensor)> {
        let averages = self.averages();
        let found = |name: &str| arenas.iter().find(|(known, _)| known == name).map(|(_, values)| values.clone());
        let of = |(name, values): &(String, Tensor)| {
            let average = averages.iter().find(|(own, _)| own == name).and_then(|(_, average)| found(average));
            (name.clone(), average.unwrap_or_else(|| values.clone()))
        };
        arenas.iter().map(of).collect()
    }
}
