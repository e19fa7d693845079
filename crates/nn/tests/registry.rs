//! Models that a program adds, in a process of their own since registries are the process's.

use chiaro_nn::models::{NamedModel, by_name, named, names, register};
use chiaro_nn::{Flatten, Linear, NnError, Sequential, Summary};

#[test]
fn a_model_of_ones_own_is_found_by_its_name() {
    let flat = |classes, [h, _, _]: [usize; 3]| {
        if h > 8 {
            return Err(NnError::Option("flat-own takes at most 8 rows".into()));
        }
        Ok(Sequential::new().push(Flatten).named("fc", Linear::new(classes)))
    };
    assert!(by_name("flat-own", 3, [8, 8, 1]).is_err(), "not yet");
    register(NamedModel::new("flat-own", [8, 8, 1], flat)).expect("a new name");
    assert_eq!(Summary::of(&named("flat-own").expect("known").usual(3).expect("fits")).parameters(), 195);
    assert!(by_name("flat-own", 3, [9, 9, 1]).err().expect("too large").to_string().contains("8 rows"));
    assert_eq!(names().last().map(String::as_str), Some("flat-own"));
    let error = register(NamedModel::new("lenet5", [8, 8, 1], flat)).expect_err("taken").to_string();
    assert_eq!(error, "there is a model named \"lenet5\" already");
}
