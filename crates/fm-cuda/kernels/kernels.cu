// Training and evaluation of chains of convolution blocks and dense layers: all kernels, one translation unit.
#include "back.h"
#include "dense.h"
#include "forward.h"
#include "middle.h"
#include "shapes.h"
#include "table.h"
#include "update.h"

// Kernels for any network, and for those of shapes.h. A name that ends with a number is for that block.
#define KERNEL(NAME, BOUNDS, BODY) \
  extern "C" __global__ void __launch_bounds__ BOUNDS NAME(ARGUMENT a) { BODY; }

KERNEL(first, (THREADS, 1), first_of<Any>(a))
KERNEL(first_conv, (THREADS, 2), first_conv_of<Any>(a))
KERNEL(conv, (THREADS, 1), conv_of<Any>(a, a.layer))
KERNEL(gather, (THREADS, 1), gather_of(a))
KERNEL(codes, (THREADS, 1), codes_of(a))
KERNEL(dense_split, (THREADS, 1), dense_split_of<Any>(a))
KERNEL(tail, (THREADS, 1), tail_alone_of<Any>(a))
KERNEL(dense_back, (THREADS, 1), dense_back_of<Any>(a))
KERNEL(back, (THREADS, 2), back_of<Any>(a, a.layer))
KERNEL(first_back, (THREADS, 1), first_back_of<Any>(a))
KERNEL(update, (THREADS, 1), update_of<Any>(a))
KERNEL(derive, (THREADS, 1), derive_of(a))

KERNEL(cnn_few_first_conv, (THREADS, 2), first_conv_of<CnnFew>(a))
KERNEL(cnn_few_tail, (THREADS, 1), tail_alone_of<CnnFew>(a))
KERNEL(cnn_few_middle2, (WIDE, 1), middle_of<CnnFew>(a, Int<2>()))
KERNEL(cnn_few_back1, (THREADS, 2), back_of<CnnFew>(a, Int<1>()))
KERNEL(cnn_few_update, (THREADS, 2), update_of<CnnFew>(a))

KERNEL(cnn_many_first_conv, (THREADS, 2), first_conv_of<CnnMany>(a))
KERNEL(cnn_many_conv2, (THREADS, 2), conv_of<CnnMany>(a, Int<2>()))
KERNEL(cnn_many_tail, (THREADS, 1), tail_alone_of<CnnMany>(a))
KERNEL(cnn_many_middle2, (WIDE, 1), middle_of<CnnMany>(a, Int<2>()))
KERNEL(cnn_many_back1, (THREADS, 2), back_of<CnnMany>(a, Int<1>()))
KERNEL(cnn_many_update, (THREADS, 2), update_of<CnnMany>(a))

KERNEL(mlp_few_first_conv, (THREADS, 2), first_conv_of<MlpFew>(a))
KERNEL(mlp_few_dense_split, (THREADS, 1), dense_split_of<MlpFew>(a))
KERNEL(mlp_few_tail, (THREADS, 1), tail_alone_of<MlpFew>(a))
KERNEL(mlp_few_dense_back, (THREADS, 1), dense_back_of<MlpFew>(a))
KERNEL(mlp_few_back1, (THREADS, 2), back_of<MlpFew>(a, Int<1>()))
KERNEL(mlp_few_update, (THREADS, 2), update_of<MlpFew>(a))

KERNEL(mlp_many_first_conv, (THREADS, 2), first_conv_of<MlpMany>(a))
KERNEL(mlp_many_dense_split, (THREADS, 1), dense_split_of<MlpMany>(a))
KERNEL(mlp_many_tail, (THREADS, 1), tail_alone_of<MlpMany>(a))
KERNEL(mlp_many_dense_back, (THREADS, 1), dense_back_of<MlpMany>(a))
KERNEL(mlp_many_back1, (THREADS, 2), back_of<MlpMany>(a, Int<1>()))
KERNEL(mlp_many_update, (THREADS, 2), update_of<MlpMany>(a))
