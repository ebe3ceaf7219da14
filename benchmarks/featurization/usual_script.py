"""Contender b: the usual script. A pandas UDF that builds the model per batch, and predicts one by one.

python usual_script.py IMAGES WEIGHTS OUTPUT
"""

import io
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import pandas as pd
from keras.applications.mobilenet_v2 import MobileNetV2, preprocess_input
from PIL import Image
from pyspark.sql import SparkSession
from pyspark.sql.functions import pandas_udf

images_path, weights_path, output_path = sys.argv[1:]
os.environ.setdefault("PYSPARK_PYTHON", sys.executable)

spark = SparkSession.builder.master("local[*,4]").config("spark.driver.memory", "4g").getOrCreate()
spark.sparkContext.setLogLevel("ERROR")


@pandas_udf("array<float>")
def extract_features(content: pd.Series) -> pd.Series:
    model = MobileNetV2(weights=weights_path, include_top=False, pooling="avg", input_shape=(224, 224, 3))
    features = []
    for data in content:
        image = Image.open(io.BytesIO(data)).resize((224, 224))
        inputs = preprocess_input(np.expand_dims(np.array(image, dtype=np.float32), axis=0))
        features.append(model.predict(inputs, verbose=0)[0])
    return pd.Series(features)


images = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(images_path)
images.select("path", extract_features("content").alias("features")).write.mode("overwrite").parquet(
    output_path
)
spark.stop()
