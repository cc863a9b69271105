// What a kernel is given: shapes, places and the addresses of everything. src/args.rs has the same structures.
//
// Memory of a seed is one row of each array; seeds lie side by side and do not know of each other. Of a batch's images,
// each has a slot: floats in `slots`, bytes in `marks`. Maps are channels-last, [row][column][channel], with channels
// padded to a multiple of four; padded channels are zero, have weights of zero, and get no gradient.
#pragma once

typedef unsigned char byte;

enum {
  MAX_CONVS = 8,
  MAX_DENSES = 8,
  THREADS = 256,         // of a block, but in `update`
  WIDE = 512,            // of a block of `middle`
  TILE = 32,             // channels that the lanes of a warp take in a backward pass
  SLICE = 64,            // inputs of a dense layer that a block takes where their sum is split
  IMAGES = 32,           // images that such a block takes at a time
};

// A block of a valid 3x3 convolution, ReLU and 2x2 max-pooling. Its input is cropped to what the windows see:
// 2 * rows + 2 by 2 * cols + 2, which is the whole map of the block before it.
struct Conv {
  int rows, cols;       // pooling windows
  int inputs, outputs;  // channels; inputs of the first block as they are, all others padded to a multiple of 4
  int weight, bias;     // in a seed's parameters: [tap][input][output] and [output]
  int turned;           // in a seed's turned weights: [tap][output][input]; none of the first block
  int value, grad;      // in a slot: [window][output], after ReLU and pooling, and its gradient
  int mark;             // in a slot's bytes: [window][output], where the maximum was (0 to 3), plus 4 where it is > 0
  int split;            // parts of the inputs whose sums are added up at the end
  int back_split;       // parts of the outputs whose sums are added up at the end of the backward pass
  int filters;          // outputs that a block of threads takes, a multiple of 4, at most 64
  int back_images;      // images that a block of the backward pass takes
  int back_rows;        // rows of windows that a block of the backward pass takes: all, but of the second block
  int images;           // images that a block of the forward pass takes
  int taps;             // taps that a block of `update` takes: 1, 3 or 9
};

// A dense layer, followed by ReLU unless it is the last.
struct Dense {
  int inputs, outputs;  // as they are (the first layer's inputs: padded, as features lie)
  int padded;           // outputs, padded to a multiple of 4
  int weight, bias;     // in a seed's parameters: [input][padded] and [padded]
  int value, delta;     // in a slot: outputs and the gradient before ReLU
};

// How a part of the network moves in a step.
struct Part {
  float rate, keep_weight, keep_bias, eps;
};

// One step of an epoch.
struct Step {
  int begin, count;  // the batch: positions in the epoch's order
  Part encoder, head;
  float fresh;  // how much of the parameters the average takes in
};

// Where a seed is.
struct Now {
  int index;  // of the step in the epoch
  Step step;  // `count` is 0 behind the last one
};

// Where a seed's images come from.
struct Feed {
  const byte* images;    // [row][channel][height][width]
  const byte* labels;    // [row]
  const byte* partners;  // [row]: classes of the images mixed in, or none
  const float* shares;   // [row]: what an image itself has, where they are mixed
  const int* order;      // [position]: rows, or none where rows are in order
  const float* codes;    // [row][feature]: outputs of an encoder that does not train, or none
  const Step* steps;     // [index]
  int until;             // number of steps
};

// What a step leaves for the records, of the weights before it.
struct Sums {
  float loss;  // summed over the images
  int correct;
};

// What a network is, whatever the seeds, the batch and the recipe.
struct Shape {
  int parameters, turned_size, slot, marked;
  int height, width, channels;  // of the images as they lie
  int seen_height, seen_width;  // what the network sees of them, from the top left corner
  int convs, denses, classes;
  int first;   // in a slot: the gradient of the first block's parameters, [part][9 * channels + 1][output]
  int part;    // in a slot: sums of slices of the first dense layer, [slice][padded]
  int loss;    // in a slot: loss, and 1 where the class was right
  int slices;  // of the first dense layer; 0 where it is not split
  Conv conv[MAX_CONVS];
  Dense dense[MAX_DENSES];
};

struct Args {
  float *weights, *m, *v, *average;  // [seed][parameters]; no average where none is kept
  float* turned;                     // [seed][turned]
  float* slots;                      // [seed][batch][slot]
  byte* marks;                       // [seed][batch][marked]
  float* scratch;                    // [seed][block of `back`][share][window][16][TILE], where shared memory is too small
  Now* now;                          // [seed][2]: that of the passes, and that of `update`
  const Feed* feeds;                 // [seed]
  Sums* sums;                        // [seed][steps]
  float* logits;                     // [position][classes] in inference, else none
  int batch, steps;
  int layer;  // the block that a launch of `conv` or `back` is for
  int encoder_moves, head_moves;
  int method;  // 0: Adam, 1: momentum
  float fresh1, fresh2, momentum, smoothing;
  Shape shape;
  int staged[MAX_CONVS];  // images of which a block of `update` keeps a group of channels at once; 0: none
};

static_assert(sizeof(Conv) == 68 && sizeof(Dense) == 28 && sizeof(Step) == 44, "as in src/args.rs");
static_assert(sizeof(Now) == 48 && sizeof(Feed) == 64 && sizeof(Sums) == 8, "as in src/args.rs");
static_assert(sizeof(Shape) == 832 && sizeof(Args) == 1000, "as in src/args.rs");
