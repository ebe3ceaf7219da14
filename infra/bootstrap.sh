#!/usr/bin/env bash
# Makes a node ready: bootstrap.sh PACKAGE [PREFIX [REGION]]
#
# PACKAGE is where the package lies, s3://bucket/Package/VERSION or a folder; PREFIX where it is installed, by
# default /opt/fruits_bigdata; REGION that of the bucket, which conf/emr then names. Everything comes out of the package: no node asks the internet for anything.
set -euo pipefail

package=${1:?usage: bootstrap.sh s3://bucket/Package/VERSION [PREFIX [REGION]]}
prefix=${2:-/opt/fruits_bigdata}
region=${3:-}
python=python3.11

# EMR writes down what a node is; elsewhere the caller says so.
instance=/mnt/var/lib/info/instance.json
if [ -z "${FRUITS_ROLE:-}" ]; then
    if grep --quiet '"isMaster": *true' "$instance"; then FRUITS_ROLE=master; else FRUITS_ROLE=worker; fi
fi

as_root=
if [ "$(id -u)" != 0 ]; then as_root=sudo; fi
# Amazon Linux' own repository, which the bucket's gateway endpoint reaches, has it where the image lacks it.
command -v "$python" > /dev/null || $as_root dnf install --assumeyes --quiet "$python"

$as_root mkdir -p "$prefix"
$as_root chown "$(id -u):$(id -g)" "$prefix"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

wanted=(--exclude 'weights/*')
if [ "$FRUITS_ROLE" = master ]; then wanted=(); fi
case $package in
    s3://*) aws s3 cp --recursive --only-show-errors "${wanted[@]}" "${package%/}/" "$scratch" ;;
    *) cp -R "${package%/}/." "$scratch" ;;
esac

"$python" -m venv --clear "$prefix/venv"
PIP_FIND_LINKS=$scratch/wheels "$prefix/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --no-index --no-deps --require-hashes --requirement "$scratch/requirements-$FRUITS_ROLE.txt"
"$prefix/venv/bin/python" -m pip check

for part in bin project; do
    rm -rf "${prefix:?}/$part"
    cp -R "$scratch/$part" "$prefix/$part"
done
chmod +x "$prefix"/bin/*
if [ -n "$region" ]; then
    bucket=${package#s3://}
    "$prefix/bin/set-bucket" "${bucket%%/*}" "$region"
fi
if [ "$FRUITS_ROLE" = master ]; then
    # Where Keras itself keeps what it has downloaded, and the project looks for it.
    mkdir -p "$prefix/keras/models"
    cp "$scratch"/weights/*.h5 "$prefix/keras/models"
fi
echo "fruits_bigdata: $FRUITS_ROLE ready in $prefix"
