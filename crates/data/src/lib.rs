//! Image data sets for Chiaro: IDX, CIFAR-10, image folders, background loading.
