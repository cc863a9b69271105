// Every kernel, by name. Each takes one `Args` by value and nothing else.
#define KERNELS(X) \
  X(first) X(first_conv) X(conv) X(gather) X(codes) X(dense_split) X(tail) X(dense_back) X(back) X(first_back) X(update) \
  X(derive) \
  X(cnn_few_first_conv) X(cnn_few_tail) X(cnn_few_middle2) X(cnn_few_back1) X(cnn_few_update) \
  X(cnn_many_first_conv) X(cnn_many_conv2) X(cnn_many_tail) X(cnn_many_middle2) X(cnn_many_back1) X(cnn_many_update) \
  X(mlp_few_first_conv) X(mlp_few_dense_split) X(mlp_few_tail) X(mlp_few_dense_back) X(mlp_few_back1) X(mlp_few_update) \
  X(mlp_many_first_conv) X(mlp_many_dense_split) X(mlp_many_tail) X(mlp_many_dense_back) X(mlp_many_back1) \
  X(mlp_many_update)
