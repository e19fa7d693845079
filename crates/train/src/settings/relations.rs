//! What settings ask of each other, and of the machine.

use super::given::Given;
use super::{ScheduleName, TrainConfig};
use crate::error::{Result, TrainError};

/// Looks at numbers whose range another setting gives.
pub(crate) fn check(config: &TrainConfig) -> Result<()> {
    if config.data.to_str().is_none() {
        return Err(TrainError::Setting(format!(
            "the folder of the data, {}, has a name that is no UTF-8, which a run's settings cannot keep; rename it",
            config.data.display()
        )));
    }
    config.holdout().check().map_err(|error| TrainError::Setting(error.to_string()))?;
    if config.warmup_epochs <= config.epochs as f64 {
        return Ok(());
    }
    Err(TrainError::Setting(format!(
        "--warmup must be from 0 to {} epochs, the length of the run, not {}",
        config.epochs, config.warmup_epochs
    )))
}

/// Refuses settings that were given and would mean nothing beside the others.
pub(crate) fn check_given(config: &TrainConfig, given: &[Given]) -> Result<()> {
    let is_given = |name: &str| given.iter().any(|(setting, _)| setting.name == name);
    let (task, tasks) = (config.task.as_str(), crate::task::named());
    let of_task = |name: &str| tasks.iter().any(|known| known.name == task && known.settings.contains(&name));
    let idle = tasks.iter().flat_map(|known| known.settings).find(|name| is_given(name) && !of_task(name));
    let flag = idle.and_then(|name| super::setting(name)).map(|setting| setting.flag);
    let wrong = if let Some(flag) = flag {
        format!("--{flag} means nothing with --task {task}")
    } else if is_given("fold") && config.folds.is_none() {
        "--fold means nothing without --folds, which says how many there are".to_string()
    } else if is_given("warmup_epochs") && config.schedule == ScheduleName::OneCycle {
        "--warmup means nothing with --schedule onecycle, which has its own rise over three tenths of the run"
            .to_string()
    } else if is_given("momentum") && config.optimizer.known().is_ok_and(|known| !known.has_momentum) {
        let known = chiaro_nn::optimizer_names().into_iter().filter_map(|name| chiaro_nn::named_optimizer(name).ok());
        let with: Vec<&str> = known.filter(|known| known.has_momentum).map(|known| known.name).collect();
        format!("--momentum means nothing here: only --optimizer {} have it", with.join(" and "))
    } else {
        return Ok(());
    };
    Err(TrainError::Setting(wrong))
}
