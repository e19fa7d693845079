//! What settings ask of each other, and of the machine.

use super::given::GivenSetting;
use super::{LossName, ScheduleName, SettingValue, TrainConfig};
use crate::error::{Result, TrainError};
use crate::task::MULTI_LABEL;

/// Looks at numbers whose range another setting gives.
pub(crate) fn check(config: &TrainConfig) -> Result<()> {
    if config.data.to_str().is_none() {
        return Err(TrainError::Setting(format!(
            "the folder of the data, {}, has a name that is no UTF-8, which a run's settings cannot keep; rename it",
            config.data.display()
        )));
    }
    config.holdout().check().map_err(|error| TrainError::Setting(error.to_string()))?;
    let epochs = config.epochs;
    let within = |flag: &str, given: f64| match given <= epochs as f64 {
        true => Ok(()),
        false => Err(TrainError::Setting(format!(
            "--{flag} must be from 0 to {epochs} epochs, the length of the run, not {given}"
        ))),
    };
    within("warmup", config.warmup_epochs)?;
    within("thaw", config.thaw.unwrap_or(0.0))?;
    within("swa", config.swa.unwrap_or(0) as f64)?;
    let averages = [config.ema.is_some(), config.swa.is_some(), config.lookahead.is_some_and(|share| share > 0.0)];
    let wrong = if averages.iter().filter(|&&is| is).count() > 1 {
        "--ema, --swa and --lookahead are different averages of the weights: give one of them"
    } else if config.task.as_str() == MULTI_LABEL && config.loss == LossName::Huber {
        "--loss huber means nothing with --task multi-label, whose losses are bce (the default) and focal"
    } else if config.thaw.is_some() && config.freeze.is_none() {
        "--thaw means nothing without --freeze"
    } else if config.new_head && config.init.is_none() {
        "--new-head means nothing without weights to begin with: --init, --pretrained, or a file or a run as --model"
    } else {
        return Ok(());
    };
    Err(TrainError::Setting(wrong.to_string()))
}

/// Looks at numbers whose range the number of training images gives.
///
/// # Errors
/// If they fill no batch, or the run has fewer steps than one update gathers.
pub(crate) fn check_steps(config: &TrainConfig, images: usize) -> Result<()> {
    let (batch, accumulate) = (config.batch_size.max(1), config.accumulate);
    let steps = images / batch * config.epochs;
    let wrong = if images < batch {
        format!("{images} images do not fill a batch of {batch}: give --batch-size {images} at most")
    } else if accumulate > steps.max(1) {
        format!(
            "--accumulate {accumulate}: the run has {steps} steps, so that the weights would never change; give {steps} at most"
        )
    } else {
        return Ok(());
    };
    Err(TrainError::Setting(wrong))
}

/// Settings that mean something with some schedules, or losses, alone.
fn idle(config: &TrainConfig, is_given: impl Fn(&str) -> bool) -> Option<String> {
    use ScheduleName::{Exponential, MultiStep, OneCycle, Plateau, Polynomial, Step};
    let schedules: [(&str, &[ScheduleName]); 5] = [
        ("gamma", &[Step, MultiStep, Exponential, Plateau]),
        ("decay_epochs", &[Step]),
        ("milestones", &[MultiStep]),
        ("power", &[Polynomial]),
        ("lr_patience", &[Plateau]),
    ];
    if is_given("warmup_epochs") && config.schedule == OneCycle {
        let why = "which has its own rise over three tenths of the run";
        return Some(format!("--warmup means nothing with --schedule onecycle, {why}"));
    }
    let flag = |name| super::setting(name).map_or(name, |setting| setting.flag);
    let of_schedule = schedules.iter().find(|(name, with)| is_given(name) && !with.contains(&config.schedule));
    if let Some((name, with)) = of_schedule {
        let with: Vec<String> = with.iter().map(SettingValue::show).collect();
        return Some(format!("--{} means nothing here: only --schedule {} takes it", flag(name), with.join(" or ")));
    }
    let losses = [("focal_gamma", LossName::Focal), ("huber_delta", LossName::Huber)];
    let (name, with) = losses.into_iter().find(|(name, with)| is_given(name) && *with != config.loss)?;
    Some(format!("--{} means nothing here: only --loss {} takes it", flag(name), with.show()))
}

/// Refuses settings that were given and would mean nothing beside the others.
pub(crate) fn check_given(config: &TrainConfig, given: &[GivenSetting]) -> Result<()> {
    let is_given = |name: &str| given.iter().any(|(setting, _)| setting.name == name);
    let (task, tasks) = (config.task.as_str(), crate::task::named());
    let of_task = |name: &str| tasks.iter().any(|known| known.name == task && known.settings.contains(&name));
    let idle = tasks.iter().flat_map(|known| known.settings).find(|name| is_given(name) && !of_task(name));
    let flag = idle.and_then(|name| super::setting(name)).map(|setting| setting.flag);
    let wrong = if let Some(flag) = flag {
        format!("--{flag} means nothing with --task {task}")
    } else if is_given("fold") && config.folds.is_none() {
        "--fold means nothing without --folds, which says how many there are".to_string()
    } else if config.teacher.is_none() && (is_given("distill_weight") || is_given("distill_temperature")) {
        "--distill-weight and --distill-temperature mean nothing without --teacher".to_string()
    } else if let Some(wrong) = self::idle(config, is_given) {
        wrong
    } else if is_given("momentum") && config.optimizer.known().is_ok_and(|known| !known.has_momentum) {
        let known = chiaro_nn::optimizer_names().into_iter().filter_map(|name| chiaro_nn::named_optimizer(name).ok());
        let with: Vec<&str> = known.filter(|known| known.has_momentum).map(|known| known.name).collect();
        format!("--momentum means nothing here: only --optimizer {} have it", with.join(" and "))
    } else {
        return Ok(());
    };
    Err(TrainError::Setting(wrong))
}
