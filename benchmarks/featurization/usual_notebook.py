"""Contender a: the usual notebook. binaryFile, repartition, scalar-iterator pandas UDF, Keras, predict.

    python usual_notebook.py IMAGES WEIGHTS OUTPUT

Written as such notebooks are: the model is built once per task, filled with the broadcast weights, and
predicts a whole Arrow batch at a time.
"""

import io
import os
import sys
from collections.abc import Iterator

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import pandas as pd
from keras.applications.mobilenet_v2 import MobileNetV2, preprocess_input
from PIL import Image
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, element_at, pandas_udf, split

images_path, weights_path, output_path = sys.argv[1:]
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)

spark = (
    SparkSession.builder.appName("P8").master("local[*,4]").config("spark.driver.memory", "4g").getOrCreate()
)
sc = spark.sparkContext
sc.setLogLevel("ERROR")

model = MobileNetV2(weights=weights_path, include_top=False, pooling="avg", input_shape=(224, 224, 3))
broadcast_weights = sc.broadcast(model.get_weights())


def model_fn() -> keras.Model:
    model = MobileNetV2(weights=None, include_top=False, pooling="avg", input_shape=(224, 224, 3))
    for layer in model.layers:
        layer.trainable = False
    model.set_weights(broadcast_weights.value)
    return model


def preprocess(content: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(content)).resize([224, 224])
    return preprocess_input(keras.utils.img_to_array(image))


def featurize_series(model: keras.Model, content_series: pd.Series) -> pd.Series:
    inputs = np.stack(content_series.map(preprocess))
    predictions = model.predict(inputs, verbose=0)
    return pd.Series([p.flatten() for p in predictions])


@pandas_udf("array<float>")
def featurize_udf(content_series_iter: Iterator[pd.Series]) -> Iterator[pd.Series]:
    model = model_fn()
    for content_series in content_series_iter:
        yield featurize_series(model, content_series)


images = (
    spark.read.format("binaryFile")
    .option("pathGlobFilter", "*.jpg")
    .option("recursiveFileLookup", "true")
    .load(images_path)
)
images = images.withColumn("label", element_at(split(images["path"], "/"), -2))
features_df = images.repartition(20).select(
    col("path"), col("label"), featurize_udf("content").alias("features")
)
features_df.write.mode("overwrite").parquet(output_path)
spark.stop()
