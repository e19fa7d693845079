//! The product of matrices that a kernel is: what counts of operations, choices of tiles and tolerances are made from.

use super::kernel::{ConvShape, Kernel, MatMulShape};
use crate::graph::{Graph, Var};
use crate::shape::count;

/// `batch` products of `[m, k]` and `[k, n]` matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Product {
    /// Products of their own: batch axes, groups, and the phases of an input gradient.
    pub batch: usize,
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Terms that each element sums; about so many where the phases of an input gradient have different numbers of them.
    pub k: usize,
    /// Every row finds its elements for itself at every term (an input gradient), which takes registers.
    pub busy_rows: bool,
}

impl Product {
    /// Operations, a multiply-add counting two.
    pub fn flops(&self) -> u64 {
        [self.batch, self.m, self.n, self.k].into_iter().fold(2, |all, extent| all.saturating_mul(extent as u64))
    }
}

/// A kernel that is a product of matrices.
#[derive(Clone, Copy, Debug)]
pub enum ProductKernel<'a> {
    /// [`Kernel::MatMul`]
    MatMul(&'a MatMulShape),
    /// [`Kernel::Conv2d`]
    Conv2d(&'a ConvShape),
    /// [`Kernel::Conv2dInputGrad`]
    InputGrad(&'a ConvShape),
    /// [`Kernel::Conv2dWeightGrad`]
    WeightGrad(&'a ConvShape),
}

impl Kernel {
    /// The kernel as a product of matrices; `None` for kernels that are none.
    pub fn as_product(&self) -> Option<ProductKernel<'_>> {
        match self {
            Kernel::MatMul(shape) => Some(ProductKernel::MatMul(shape)),
            Kernel::Conv2d(shape) => Some(ProductKernel::Conv2d(shape)),
            Kernel::Conv2dInputGrad(shape) => Some(ProductKernel::InputGrad(shape)),
            Kernel::Conv2dWeightGrad(shape) => Some(ProductKernel::WeightGrad(shape)),
            Kernel::Pointwise
            | Kernel::Reduce { .. }
            | Kernel::MaxPool2d(_)
            | Kernel::MaxPool2dIndex(_)
            | Kernel::MaxPool2dGrad(_)
            | Kernel::AvgPool2d(..)
            | Kernel::AvgPool2dGrad(..)
            | Kernel::Softmax { .. }
            | Kernel::CrossEntropy { .. }
            | Kernel::CrossEntropyGrad { .. }
            | Kernel::ArgReduce(..)
            | Kernel::Moments { .. }
            | Kernel::Gather(_)
            | Kernel::ScatterAdd(_)
            | Kernel::IndexSelect(_)
            | Kernel::IndexAdd(_)
            | Kernel::Custom(_) => None,
        }
    }

    /// Columns of the product's results, those of all groups of a convolution; `None` for kernels that are none.
    pub fn product_columns(&self) -> Option<usize> {
        Some(match self.as_product()? {
            ProductKernel::MatMul(shape) => shape.n,
            ProductKernel::Conv2d(shape) => shape.y[3],
            ProductKernel::InputGrad(shape) => shape.x[3],
            ProductKernel::WeightGrad(shape) => count(&shape.w[1..]),
        })
    }

    /// The geometry of the product that the kernel is; `None` for kernels that are none.
    pub fn product(&self) -> Option<Product> {
        Some(match self.as_product()? {
            ProductKernel::MatMul(shape) => shape.product(),
            ProductKernel::Conv2d(shape) => shape.forward_product(),
            ProductKernel::InputGrad(shape) => shape.input_grad_product(),
            ProductKernel::WeightGrad(shape) => shape.weight_grad_product(),
        })
    }

    /// Floating-point operations of the kernel proper, a multiply-add counting two. The three directions of a convolution have
    /// the same: those of its forward pass.
    pub fn flops(&self) -> u64 {
        self.counted_product().map_or(0, |product| product.flops())
    }

    /// The product whose operations count.
    fn counted_product(&self) -> Option<Product> {
        Some(match self.as_product()? {
            ProductKernel::MatMul(shape) => shape.product(),
            ProductKernel::Conv2d(shape) | ProductKernel::InputGrad(shape) | ProductKernel::WeightGrad(shape) => {
                shape.forward_product()
            }
        })
    }

    /// Terms that each element of the result sums: what its rounding grows with. 1 for kernels that sum nothing.
    pub fn terms(&self) -> usize {
        if let Kernel::Reduce { prologue, kept, .. } = self {
            return prologue.domain.get(*kept..).unwrap_or_default().iter().product();
        }
        self.product().map_or(1, |product| product.k)
    }
}

impl Graph {
    /// The products of matrices among the nodes from this position on, those of a convolution's gradients (a transposed convolution
    /// is one) as those of its forward pass, which are as many operations.
    pub fn products(&self, from: usize) -> impl Iterator<Item = Product> + '_ {
        let kernel = |v: Var| crate::ops::kernel(self, v);
        (from..self.nodes().len()).filter_map(move |i| kernel(self.value(i))?.counted_product())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::ConvSpec;

    fn conv(stride: usize, groups: usize) -> ConvShape {
        let spec = ConvSpec { stride: [stride; 2], padding: [1; 4], groups, ..ConvSpec::default() };
        let size = 8usize.div_ceil(stride);
        ConvShape { spec, x: [2, 8, 8, 12], w: [6, 3, 3, 12 / groups], y: [2, size, size, 6] }
    }

    #[test]
    fn the_directions_of_a_convolution_are_products_of_the_same_operations() {
        for (stride, groups) in [(1, 1), (1, 3), (1, 6)] {
            let shape = conv(stride, groups);
            let all = [shape.forward_product(), shape.input_grad_product(), shape.weight_grad_product()];
            let wanted = 2 * 2 * 8 * 8 * 6 * 9 * (12 / groups as u64);
            assert_eq!(all.map(|product| product.flops()), [wanted; 3], "{groups} groups");
            let kernels = [Kernel::Conv2d, Kernel::Conv2dInputGrad, Kernel::Conv2dWeightGrad];
            assert_eq!(kernels.map(|kernel| kernel(shape.clone()).flops()), [wanted; 3]);
        }
    }

    #[test]
    fn a_sum_has_the_terms_of_its_own_product_and_not_the_whole_weight() {
        let shape = conv(1, 3);
        assert_eq!(Kernel::Conv2d(shape.clone()).terms(), 9 * 4);
        assert_eq!(Kernel::Conv2dInputGrad(shape.clone()).terms(), 9 * 2);
        assert_eq!(Kernel::Conv2dWeightGrad(shape).terms(), 2 * 8 * 8);
        let strided = conv(2, 1).input_grad_product();
        assert_eq!((strided.batch, strided.m, strided.n, strided.k), (4, 2 * 4 * 4, 12, 6 * 9 / 4));
    }
}
