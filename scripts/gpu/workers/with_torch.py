"""PyTorch: eager, or its whole step in a CUDA graph, its model compiled or not.

Data lie on the device as bytes. An epoch's shuffle, the batches' gathering, forward and backward passes, Adam, and
the sums of loss and hits are timed.
"""

import pathlib

import torch
from torch import nn

import idx
from . import network

# Steps in one captured graph, at most: few enough to capture fast, enough that launching costs nothing.
STEPS_A_GRAPH = 25


def start(job):
    torch.set_num_threads(job["threads"])
    torch.set_float32_matmul_precision("high" if job["tf32"] else "highest")
    torch.backends.cudnn.allow_tf32 = job["tf32"]
    torch.backends.cudnn.benchmark = True
    device = torch.device(job["device"])
    directory, count = pathlib.Path(job["data_dir"]), job["images"]
    (_, rows, columns), images = idx.read(directory, idx.PARTS["train"][0])
    _, labels = idx.read(directory, idx.PARTS["train"][1])
    images = torch.frombuffer(bytearray(images), dtype=torch.uint8).view(-1, 1, rows, columns)[:count]
    labels = torch.frombuffer(bytearray(labels), dtype=torch.uint8)[:count].long()
    about = f"PyTorch {torch.__version__}"
    if device.type == "cuda":
        about += f", CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}, {torch.cuda.get_device_name(device)}"
    return {"device": device, "images": images.to(device), "labels": labels.to(device), "about": about}


class Trainer:
    def __init__(self, job, shared, arch):
        torch.manual_seed(0)
        self.device, self.images, self.labels = shared["device"], shared["images"], shared["labels"]
        self.batch, self.count = job["batch"], len(self.images)
        self.steps = self.count // self.batch
        on_gpu = self.device.type == "cuda"
        # A graph is of CUDA: elsewhere the same step runs as it is.
        self.captures = on_gpu and job["captured"]
        format = torch.channels_last if job["channels_last"] else torch.contiguous_format
        self.model = network(job["code"][arch]).to(self.device, memory_format=format)

        def forward(pixels, labels):
            x = (pixels.float() * (1 / 255)).contiguous(memory_format=format)
            logits = self.model(x)
            return nn.functional.cross_entropy(logits, labels), logits

        self.forward = forward
        if job["compiled"]:
            # Like mode="max-autotune" without its graphs of the model's halves: here one graph holds the whole step.
            self.forward = torch.compile(forward, mode="max-autotune-no-cudagraphs", dynamic=False, fullgraph=True)
        adam = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-7, "fused": True}
        self.optimizer = torch.optim.Adam(self.model.parameters(), capturable=self.captures, **adam)
        self.loss = torch.zeros((), device=self.device)
        self.hits = torch.zeros((), dtype=torch.long, device=self.device)
        self.order = torch.arange(self.count, device=self.device)
        self.first = torch.zeros((), dtype=torch.long, device=self.device)
        self.offsets = torch.arange(self.batch, device=self.device)
        if self.captures:
            self.capture()

    def step(self, rows):
        pixels, labels = self.images.index_select(0, rows), self.labels.index_select(0, rows)
        loss, logits = self.forward(pixels, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.loss += loss.detach()
        self.hits += (logits.detach().argmax(1) == labels).sum()

    def next_step(self):
        """A step that finds its rows by itself, for a graph."""
        self.step(self.order.index_select(0, self.first + self.offsets))
        self.first += self.batch

    def capture(self):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(min(3, self.steps)):
                self.next_step()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        self.first.zero_()
        steps = next(n for n in range(STEPS_A_GRAPH, 0, -1) if self.steps % n == 0)
        self.replays, self.graph = self.steps // steps, torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            for _ in range(steps):
                self.next_step()

    def epoch(self):
        self.order.copy_(torch.randperm(self.count, device=self.device))
        for tensor in (self.loss, self.hits, self.first):
            tensor.zero_()
        if self.captures:
            for _ in range(self.replays):
                self.graph.replay()
        else:
            for rows in self.order.split(self.batch):
                self.step(rows)
        # Reading waits for the device.
        return self.loss.item() / self.steps, self.hits.item() / self.count
