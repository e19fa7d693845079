//! How much each class counts in the loss.

use serde_json::Value;

use super::Numbers;
use super::value::SettingValue;

/// How much each class counts in the loss.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassWeights {
    /// The fewer training images a class has, the more each of them counts: so that all classes count the same.
    Balanced,
    /// A number for each class.
    Given(Numbers),
}

const BALANCED: &str = "balanced";

impl SettingValue for ClassWeights {
    const KIND: &'static str = "balanced or numbers";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            BALANCED => Ok(ClassWeights::Balanced),
            numbers => Numbers::parse(numbers).map(ClassWeights::Given).map_err(|_| {
                format!("{text:?} is neither {BALANCED} nor a number of at least 0 for each class, as 1,2.5")
            }),
        }
    }

    fn show(&self) -> String {
        match self {
            ClassWeights::Balanced => BALANCED.to_string(),
            ClassWeights::Given(numbers) => numbers.show(),
        }
    }

    fn json(&self) -> Value {
        match self {
            ClassWeights::Balanced => Value::from(BALANCED),
            ClassWeights::Given(numbers) => numbers.json(),
        }
    }

    fn from_json(value: Value) -> Result<Self, String> {
        match value.as_str() {
            Some(text) => ClassWeights::parse(text),
            None => Numbers::from_json(value).map(ClassWeights::Given),
        }
    }
}

impl ClassWeights {
    /// The weights for classes of so many training images. Balanced: images / (classes x images of the class), and 1 for a class
    /// of none, which the loss never sees.
    ///
    /// # Errors
    /// If they are given for another number of classes, or all are 0.
    pub fn of(&self, counts: &[usize]) -> Result<Vec<f32>, String> {
        match self {
            ClassWeights::Balanced => {
                let (all, classes) = (counts.iter().sum::<usize>() as f64, counts.len() as f64);
                let weight = |&n: &usize| if n == 0 { 1.0 } else { (all / (classes * n as f64)) as f32 };
                Ok(counts.iter().map(weight).collect())
            }
            ClassWeights::Given(Numbers(given)) if given.len() != counts.len() => Err(format!(
                "--class-weights has {} numbers, but there are {} classes: it takes one for each",
                given.len(),
                counts.len()
            )),
            ClassWeights::Given(Numbers(given)) if given.iter().all(|n| *n == 0.0) => {
                Err("--class-weights are all 0, so that no image would count".to_string())
            }
            ClassWeights::Given(Numbers(given)) => Ok(given.iter().map(|n| *n as f32).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_weights_make_all_classes_count_the_same() {
        let weights = ClassWeights::Balanced.of(&[30, 10, 0, 20]).expect("weights");
        assert_eq!(weights, [0.5, 1.5, 1.0, 0.75]);
    }

    #[test]
    fn given_weights_must_be_one_for_each_class() {
        let given = ClassWeights::parse("1,2.5").expect("numbers");
        assert_eq!(given.of(&[3, 4]), Ok(vec![1.0, 2.5]));
        assert!(given.of(&[3, 4, 5]).is_err_and(|error| error.contains("2 numbers, but there are 3 classes")));
        assert!(ClassWeights::parse("0,0").expect("numbers").of(&[1, 1]).is_err());
        for value in [ClassWeights::Balanced, given] {
            assert_eq!(ClassWeights::from_json(value.json()), Ok(value));
        }
        assert!(ClassWeights::parse("even").is_err_and(|error| error.contains("balanced")));
    }
}
