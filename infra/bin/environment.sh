# What a process of the project finds on a node; fruits-run and the notebook's kernel source it.
prefix=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# EMR's own places, unless the node names others.
export SPARK_HOME=${SPARK_HOME:-/usr/lib/spark}
export HADOOP_CONF_DIR=${HADOOP_CONF_DIR:-/etc/hadoop/conf}
py4j=("$SPARK_HOME"/python/lib/py4j-*-src.zip)
export PYTHONPATH=$SPARK_HOME/python:${py4j[0]}

# Driver and workers run the same Python, at the same place on every node unless the caller knows better.
export PYSPARK_PYTHON=${FRUITS_WORKER_PYTHON:-$prefix/venv/bin/python}
export PYSPARK_DRIVER_PYTHON=$prefix/venv/bin/python

export KERAS_HOME=$prefix/keras
export DO_NOT_TRACK=1
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2}
