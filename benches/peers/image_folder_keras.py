"""The tutorial of image folders in Keras, with the numbers of the example `image_folder`: python image_folder_keras.py FOLDER [SEEDS]

FOLDER has train/CLASS and val/CLASS, as the example makes it. Pictures of 64x64 by 1/255, batches of 32; convolution 32, pool, convolution 64, pool,
dense 128, dense of the classes with softmax; Adam at 0.001, 10 epochs. Then the network is saved, opened again, evaluated and asked.
Needs tensorflow-cpu and pillow.
"""

import os
import pathlib
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import keras

SIDE, BATCH, EPOCHS = 64, 32, 10


def pictures(folder, shuffle):
    read = keras.utils.image_dataset_from_directory
    return read(folder, label_mode="categorical", image_size=(SIDE, SIDE), batch_size=BATCH, shuffle=shuffle, verbose=False)


def network(classes):
    layers = keras.layers
    return keras.Sequential([
        keras.Input((SIDE, SIDE, 3)),
        layers.Rescaling(1 / 255),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(classes, activation="softmax"),
    ])


def trained(folder, seed):
    keras.utils.set_random_seed(seed)
    train, val = pictures(folder / "train", True), pictures(folder / "val", False)
    model = network(len(train.class_names))
    model.compile(keras.optimizers.Adam(1e-3), "categorical_crossentropy", metrics=["accuracy"])
    learnt = model.fit(train, validation_data=val, epochs=EPOCHS, verbose=0).history["val_accuracy"]
    with tempfile.TemporaryDirectory() as there:
        file = pathlib.Path(there) / "digits.keras"
        model.save(file)
        again = keras.models.load_model(file).evaluate(val, verbose=0)[1]
    assert abs(again - learnt[-1]) < 1e-6
    return max(learnt), learnt[-1]


def main():
    folder, seeds = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    for seed in range(seeds):
        best, last = trained(folder, seed)
        print(f"Keras {keras.__version__}, seed {seed}: best epoch {100 * best:.1f} %, last {100 * last:.1f} %", flush=True)


if __name__ == "__main__":
    main()
