#!/usr/bin/env bash
# Runs the commands of docs/own-pictures.md, on made pictures and on files shaped as those of CIFAR-10, CIFAR-100 and EMNIST.
#
#   scripts/interop/own_pictures.sh [DIR]     in a new directory, unless said otherwise
#   FM_EXP=PATH                               the binary [default: target/release/fm-exp]
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
fm_exp=$(realpath "${FM_EXP:-$here/target/release/fm-exp}")
place=${1:-$(mktemp -d)}
python3 "$here/scripts/interop/own_pictures.py" "$place"
cd "$place"
say() { echo; echo "\$ $*"; "${@/#fm-exp/$fm_exp}"; }

say fm-exp import shapes --size 32 --out data/shapes
for seed in 0 1 2; do
  say fm-exp --dataset data/shapes --arch cnn@32x32x3 --epochs 15 --seed $seed --name cnn-$seed --quiet
  say fm-exp --dataset data/shapes --arch 8C3.same.bn-8R3-16R3.s2-GAP@32x32x3 --epochs 15 --seed $seed --name resnet-$seed --quiet
done
say fm-exp compare results/cnn-0 results/cnn-1 results/cnn-2 results/resnet-0 results/resnet-1 results/resnet-2
say fm-exp predict results/cnn-0 shapes/disc/000.png shapes/triangle/002.png
say fm-exp export results/resnet-0 --onnx shapes.onnx --bytes
say fm-exp export results/cnn-0 --c shapes-c --int8 --score
say fm-exp export results/cnn-0 --card results/cnn-0/README.md
cc -std=c99 -Wall -Wextra -Werror -O2 -c shapes-c/model.c -o shapes-c/model.o
say fm-exp report results/cnn-0 results/cnn-1 results/cnn-2 --out report --playable

say fm-exp import cifar --out data/cifar
say fm-exp --dataset data/cifar --arch cnn@32x32x3 --epochs 2 --name cifar --quiet
say fm-exp export results/cifar --onnx cifar.onnx
say fm-exp import cifar100 --out data/cifar100
say fm-exp --dataset data/cifar100 --arch cnn@32x32x3 --epochs 2 --name cifar100 --quiet
say fm-exp export results/cifar100 --onnx cifar100.onnx --c cifar100-c --int8 --score
say fm-exp import emnist --out data/letters
say fm-exp --dataset data/letters --arch cnn --epochs 3 --name letters --quiet
say fm-exp export results/letters --c letters-c --int8 --score
