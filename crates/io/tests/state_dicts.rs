//! Which of the dictionaries of a PyTorch file is taken, by which names, and what is told of it.

#[path = "support/pickled.rs"]
mod pickled;

use chiaro_io::torch::{self, StateDict};
use chiaro_nn::{Model, models};
use pickled::{Value, dict, pair};

fn read(value: &Value) -> Result<StateDict, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights.pth");
    std::fs::write(&path, pickled::file(value)).expect("written");
    torch::read(&path).map_err(|error| error.to_string())
}

/// The element of the tensor `w` that was taken, and what was told.
fn taken(value: &Value) -> (f32, String) {
    let state = read(value).expect("a state dict");
    (state.tensors["w"].as_f32().expect("floats")[0], state.notes.join("; "))
}

fn weights(value: f32) -> Value {
    dict([("w", pair(value))])
}

#[test]
fn an_average_of_weights_is_taken_before_them_and_told() {
    for (key, average) in [("model", "model_ema"), ("state_dict", "state_dict_ema"), ("params", "params_ema")] {
        let (value, note) = taken(&dict([(key, weights(0.0)), (average, weights(1.0)), ("epoch", Value::None)]));
        assert_eq!(value, 1.0, "{average}");
        assert_eq!(note, format!("its {average} was taken, an average of weights, not {key}"));
    }
    // timm's choice where there are both.
    let both = dict([("model_ema", weights(1.0)), ("state_dict_ema", weights(2.0)), ("state_dict", weights(3.0))]);
    assert_eq!(taken(&both).0, 2.0);
    // An average that nobody kept.
    assert_eq!(taken(&dict([("state_dict_ema", Value::None), ("state_dict", weights(3.0))])), (3.0, String::new()));
}

#[test]
fn averages_without_statistics_of_norms_get_those_of_the_weights_beside_them() {
    let model = models::by_name("resnet20", 10, [32, 32, 3]).expect("a model");
    let is_statistic = |name: &str| name.contains(".running_");
    let mut averages = states(&model, "module.", 1.0);
    averages.retain(|(name, _)| !is_statistic(name));
    let both = [("model", Value::Dict(states(&model, "", 2.0))), ("model_ema", Value::Dict(averages.clone()))];
    let state = read(&dict(both)).expect("a state dict");
    let fitted = torch::fit(&model, &state.tensors, None);
    assert!(fitted.missing.is_empty(), "{:?}", fitted.missing);
    for (name, tensor) in &fitted.tensors {
        let wanted = if is_statistic(name) { 2.0 } else { 1.0 };
        assert!(tensor.as_f32().is_some_and(|v| v.iter().all(|x| *x == wanted)), "{name}");
    }
    let norms = model.declared().states.iter().filter(|state| is_statistic(&state.name)).count();
    let told = format!("the averages have no statistics of norms: {norms} of them are those of its model");
    assert_eq!(state.notes, ["its model_ema was taken, an average of weights, not model", &told]);
    // Where there are none, what is missing is told.
    let alone = read(&dict([("model_ema", Value::Dict(averages))])).expect("a state dict");
    assert_eq!(torch::fit(&model, &alone.tensors, None).missing.len(), norms);
    assert!(alone.notes.is_empty());
}

#[test]
fn state_dicts_are_found_below_any_key_and_any_depth() {
    for key in ["net", "weights", "params", "model", "my_network"] {
        let value = dict([(key, weights(4.0)), ("optimizer", dict([("state", weights(9.0))]))]);
        assert_eq!(taken(&value), (4.0, String::new()), "{key}");
    }
    let nested = dict([("checkpoint", dict([("net", dict([("weights", weights(5.0))]))])), ("cfg", dict([]))]);
    assert_eq!(taken(&nested), (5.0, String::new()));
    let beside = dict([("model", weights(6.0)), ("mean", pair(0.5))]);
    assert_eq!(taken(&beside), (6.0, "its model was taken, not outermost dictionary".to_string()));
}

#[test]
fn of_equal_ones_none_is_guessed() {
    let error = read(&dict([("student", weights(1.0)), ("teacher", weights(2.0))])).expect_err("refused");
    assert!(error.contains("several state dicts, student, teacher: save one of them alone"), "{error}");
    let many = Value::Dict((0..5).map(|i| (format!("w{i}"), pair(1.0))).chain([("w".into(), pair(7.0))]).collect());
    assert_eq!(taken(&dict([("large", many), ("small", weights(2.0))])).0, 7.0);
}

#[test]
fn only_tensors_that_depend_on_something_else_are_left_out() {
    let state = read(&dict([("w", pair(1.0)), ("args", Value::Call("argparse", "Namespace"))])).expect("a state dict");
    assert_eq!(state.tensors.len(), 1);
    assert_eq!(state.unread["args"], "argparse.Namespace");
    let error = read(&Value::Call("own", "Net")).expect_err("refused");
    assert!(error.contains("it is a own.Net, of which nothing is read"), "{error}");
    let error = read(&dict([("epoch", Value::None)])).expect_err("refused");
    assert!(error.contains("no dictionary in it holds tensors"), "{error}");
}

/// The states of a model, with a beginning of their names and a value.
fn states(model: &Model, prefix: &str, value: f32) -> Vec<(String, Value)> {
    let one = |state: &chiaro_nn::DeclaredState| {
        let shape = match state.shape[..] {
            [o, h, w, i] => vec![o, i, h, w],
            _ => state.shape.clone(),
        };
        let n = shape.iter().product();
        (format!("{prefix}{}", state.name), Value::Tensor(shape, vec![value; n]))
    };
    model.declared().states.iter().map(one).collect()
}

#[test]
fn names_within_something_larger_are_found_and_what_else_fits_is_told() {
    let model = models::by_name("lenet5", 10, [28, 28, 1]).expect("a model");
    for prefix in ["model.", "net.", "lit.model."] {
        let mut all = states(&model, prefix, 1.0);
        all.push(("criterion.weight".into(), pair(3.0)));
        let state = read(&dict([("state_dict", Value::Dict(all)), ("hyper_parameters", dict([("a", pair(1.0))]))]));
        let state = state.expect("a state dict");
        assert_eq!(torch::classes_of(&model, &state.tensors), Some(10), "{prefix}");
        let fitted = torch::fit(&model, &state.tensors, None);
        assert!(fitted.missing.is_empty() && fitted.remarks.is_empty(), "{prefix}: {fitted:?}");
        assert_eq!(fitted.extra, ["criterion.weight [2]"]);
    }
    let both = Value::Dict([states(&model, "net.", 1.0), states(&model, "ema_net.", 2.0)].concat());
    let fitted = torch::fit(&model, &read(&both).expect("a state dict").tensors, None);
    assert!(fitted.missing.is_empty());
    assert!(fitted.tensors.values().all(|t| t.as_f32().is_some_and(|v| v.iter().all(|x| *x == 2.0))));
    assert_eq!(fitted.remarks, ["the names that begin with \"ema_net.\" were taken; as well would fit net."]);
}
