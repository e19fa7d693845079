//! How the images were normalised that a network was trained on, where its file does not tell: by the statistics of its first norm.

use std::collections::BTreeMap;
use std::path::Path;

use chiaro_data::{Dataset, Normalize};
use chiaro_graph::{Backend, Tensor, evaluate};
use chiaro_onnx::{Elem, Feed, FirstNorm, OnnxModel, record_graph};

use crate::error::{Result, TrainError};

/// What networks are usually trained with, of each channel: mean and deviation in units of pixel / 255.
const USUAL: [(&str, [f32; 3], [f32; 3]); 4] = [
    ("ImageNet's", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ("from -1 to 1", [0.5; 3], [0.5; 3]),
    ("from 0 to 1", [0.0; 3], [1.0; 3]),
    ("0 to 255", [0.0; 3], [1.0 / 255.0; 3]),
];
/// Images that are looked at.
const LOOKED_AT: usize = 32;
/// How much better than the next one the best must be to be believed.
const CLEAR: f64 = 2.0;

/// The normalisation by which the first norm of a file's network finds the statistics that it has, on images of a set like those
/// that it was trained on; `None` where the file has no such norm, or does not tell clearly. With words that name it.
///
/// # Errors
/// If the file or an image cannot be read, or the device fails.
pub fn fitting_normalisation(
    path: &Path,
    set: &dyn Dataset,
    backend: &mut dyn Backend,
) -> Result<Option<(Normalize, &'static str)>> {
    let failed = |cause| TrainError::Onnx { path: path.to_path_buf(), cause: Box::new(cause) };
    let [h, w, c] = set.image_shape();
    if c != 3 || set.is_empty() {
        return Ok(None);
    }
    let model = OnnxModel::read(path).map_err(failed)?;
    let Some(norm) = model.first_norm().map_err(failed)? else { return Ok(None) };
    let inputs: Vec<String> = norm.before.inputs().into_iter().map(str::to_string).collect();
    let [input] = &inputs[..] else { return Ok(None) };
    let is_bgr = model.is_bgr() && c == 3;
    let count = set.len().min(LOOKED_AT);
    let feed = Feed::Input { shape: vec![count, c, h, w], elem: Elem::F32 };
    // A file for channels last, or for other extents, is not asked.
    let Ok((graph, _)) = record_graph(&norm.before, &BTreeMap::from([(input.clone(), feed)])) else { return Ok(None) };
    let mut pixels = vec![0; count * h * w * c];
    for (i, image) in pixels.chunks_exact_mut(h * w * c).enumerate() {
        set.write_image(i * set.len() / count, image)?;
    }
    let mut found = vec![];
    for (words, mean, std) in USUAL {
        let values = (0..count).flat_map(|n| (0..c).flat_map(move |k| (0..h * w).map(move |p| (n, k, p))));
        let values = values.map(|(n, k, p)| {
            let k = if is_bgr { c - 1 - k } else { k };
            let pixel = f32::from(pixels[(n * h * w + p) * c + k]) / 255.0;
            (pixel - mean[k]) / std[k]
        });
        let images = Tensor::f32([count, c, h, w], values.collect());
        let images = images.ok_or_else(|| TrainError::setting("images without a shape"))?;
        let results = evaluate(backend, &graph, &[images])?;
        let Some(off) = results.first().and_then(|result| distance(result, &norm)) else { return Ok(None) };
        found.push((off, Normalize::new(mean.to_vec(), std.to_vec())?, words));
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let clear = found.len() > 1 && found[0].0 * CLEAR < found[1].0;
    Ok(found.into_iter().next().filter(|_| clear).map(|(_, normalize, words)| (normalize, words)))
}

/// How far the channels' means and variances are from those that a norm has, the mean over the channels.
fn distance(result: &Tensor, norm: &FirstNorm) -> Option<f64> {
    let &[n, c, h, w] = result.shape() else { return None };
    if norm.mean.len() != c || norm.variance.len() != c {
        return None;
    }
    let values = result.to_f64();
    let plane = h * w;
    let mut sum = 0.0;
    for k in 0..c {
        let rows = (0..n).flat_map(|i| values[(i * c + k) * plane..(i * c + k + 1) * plane].iter());
        let (total, squares) = rows.fold((0.0, 0.0), |(s, q), v| (s + v, q + v * v));
        let mean = total / (n * plane) as f64;
        let variance = (squares / (n * plane) as f64 - mean * mean).max(1e-12);
        let (own_mean, own) = (f64::from(norm.mean[k]), f64::from(norm.variance[k]).max(1e-12));
        sum += (mean - own_mean).powi(2) / own + (variance / own).ln().powi(2);
    }
    Some(sum / c as f64)
}
