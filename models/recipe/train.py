"""Quantization-aware training of the canary model on the CPU: BitNet b1.58 in the graph of the 2B-4T model."""
import argparse
import json
import os
import random
import time

import torch
import torch.nn.functional as F
from torch import nn

import bpe
import corpus

CONTROL_TOKENS = [corpus.BOS, corpus.EOS, corpus.EOT]
RESERVED_TOKENS = 5
WARMUP_STEPS = 60


class TernaryLinear(nn.Module):
    """Weights become -s, 0 or s with s = mean|W|, activations int8 per token; gradients pass straight through."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in) * n_in ** -0.5)

    def ternary(self):
        scale = self.weight.abs().mean().clamp(min=1e-5)
        return (self.weight / scale).round().clamp(-1, 1), scale

    def forward(self, x):
        ternary, scale = self.ternary()
        weight = self.weight + (ternary * scale - self.weight).detach()
        x_scale = 127 / x.detach().abs().amax(-1, keepdim=True).clamp(min=1e-5)
        quantized = x + ((x * x_scale).round().clamp(-128, 127) / x_scale - x).detach()
        return F.linear(quantized, weight)


def rms_norm(x, gamma, epsilon):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * gamma


def rope(x, cos, sin):
    """NEOX layout: element i turns with element i + head_dim / 2."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.head_dim = config["hidden"] // config["heads"]
        hidden, kv, ffn = config["hidden"], config["kv_heads"] * self.head_dim, config["ffn"]
        # The order of these lines is the order of random numbers: the same seed makes the same model by it.
        self.attn_norm = nn.Parameter(torch.ones(hidden))
        self.attn_sub_norm = nn.Parameter(torch.ones(hidden))
        self.ffn_norm = nn.Parameter(torch.ones(hidden))
        self.ffn_sub_norm = nn.Parameter(torch.ones(ffn))
        self.q = TernaryLinear(hidden, hidden)
        self.k = TernaryLinear(hidden, kv)
        self.v = TernaryLinear(hidden, kv)
        self.o = TernaryLinear(hidden, hidden)
        self.gate = TernaryLinear(hidden, ffn)
        self.up = TernaryLinear(hidden, ffn)
        self.down = TernaryLinear(ffn, hidden)

    def split_heads(self, x, heads):
        batch, length, _ = x.shape
        return x.view(batch, length, heads, self.head_dim).transpose(1, 2)

    def forward(self, x, cos, sin, mask):
        config, epsilon = self.config, self.config["rms_epsilon"]
        h = rms_norm(x, self.attn_norm, epsilon)
        q = rope(self.split_heads(self.q(h), config["heads"]), cos, sin)
        k = rope(self.split_heads(self.k(h), config["kv_heads"]), cos, sin)
        v = self.split_heads(self.v(h), config["kv_heads"])
        group = config["heads"] // config["kv_heads"]
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        scores = (q @ k.transpose(-1, -2)) * self.head_dim ** -0.5 + mask
        a = (scores.softmax(-1) @ v).transpose(1, 2).reshape(x.shape)
        x = x + self.o(rms_norm(a, self.attn_sub_norm, epsilon))
        h = rms_norm(x, self.ffn_norm, epsilon)
        f = F.relu(self.gate(h)).pow(2) * self.up(h)
        return x + self.down(rms_norm(f, self.ffn_sub_norm, epsilon))


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embd = nn.Parameter(torch.randn(config["vocab"], config["hidden"]) * 0.02)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config["layers"]))
        self.output_norm = nn.Parameter(torch.ones(config["hidden"]))
        head_dim = config["hidden"] // config["heads"]
        frequencies = config["rope_theta"] ** (-torch.arange(0, head_dim, 2).float() / head_dim)
        angles = torch.arange(config["context"]).float()[:, None] * frequencies[None]
        self.register_buffer("cos", angles.cos(), False)
        self.register_buffer("sin", angles.sin(), False)

    def forward(self, ids):
        """Logits [batch, length, vocab] of ids [batch, length]; the embedding is the head too."""
        length = ids.shape[1]
        x = F.embedding(ids, self.embd)
        mask = torch.full((length, length), -1e9).triu(1)
        for layer in self.layers:
            x = layer(x, self.cos[:length], self.sin[:length], mask)
        return F.linear(rms_norm(x, self.output_norm, self.config["rms_epsilon"]), self.embd)


def make_tokenizer(vocab_size):
    """Trained on 20,000 documents of the corpus."""
    rng = random.Random(0)
    documents = [corpus.document(rng) for _ in range(20000)]
    texts = [piece for document in documents for piece in document if not piece.startswith("<|")]
    merges = bpe.train(texts, vocab_size - 256 - len(CONTROL_TOKENS) - RESERVED_TOKENS)
    return bpe.Tokenizer(merges, CONTROL_TOKENS, vocab_size)


def batches(tokenizer, batch, length):
    """Endless (inputs, targets), each [batch, length], cut from an endless stream of documents."""
    rng, ids = random.Random(1), []
    count = batch * length
    while True:
        while len(ids) < count + 1:
            ids += tokenizer.encode_document(corpus.document(rng))
        part = torch.tensor(ids[:count + 1])
        yield part[:-1].view(batch, length), part[1:].view(batch, length)
        ids = ids[count:]


def save(stem, model, tokenizer):
    torch.save(model.state_dict(), stem + ".pt")
    with open(stem + ".json", "w", encoding="utf-8") as file:
        json.dump(dict(config=model.config, control_tokens=CONTROL_TOKENS, merges=tokenizer.merges), file)


def train(model, tokenizer, args):
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [dict(params=matrices, weight_decay=0.05), dict(params=vectors, weight_decay=0.0)],
        lr=args.lr, betas=(0.9, 0.95))
    data, start, mean_loss = batches(tokenizer, args.batch, args.seq), time.time(), None
    for step in range(args.steps):
        rate = args.lr * min(1, (step + 1) / WARMUP_STEPS) * max(0.02, 1 - step / args.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        if step > args.steps // 2:
            optimizer.param_groups[0]["weight_decay"] = 0.0
        inputs, targets = next(data)
        loss = F.cross_entropy(model(inputs).view(-1, args.vocab), targets.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        mean_loss = loss.item() if mean_loss is None else 0.95 * mean_loss + 0.05 * loss.item()
        if step % 10 == 0:
            speed = (step + 1) * args.batch * args.seq / (time.time() - start)
            print(f"step {step} loss {mean_loss:.4f} lr {rate:.5f} {speed:.0f} tok/s", flush=True)
        if (step + 1) % 200 == 0 or step + 1 == args.steps:
            save(args.out, model, tokenizer)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--steps", type=int, default=1600, help="optimizer steps")
    parser.add_argument("--batch", type=int, default=10, help="sequences in a step")
    parser.add_argument("--seq", type=int, default=192, help="tokens in a sequence")
    parser.add_argument("--lr", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--ffn", type=int, default=512)
    parser.add_argument("--vocab", type=int, default=1024)
    parser.add_argument("--out", default="canary", help="writes OUT.pt and OUT.json")
    return parser.parse_args()


def main():
    args = parse_arguments()
    config = dict(layers=args.layers, hidden=args.hidden, heads=4, kv_heads=2, ffn=args.ffn, vocab=args.vocab,
                  context=512, rope_theta=10000.0, rms_epsilon=1e-5)
    torch.manual_seed(0)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    tokenizer = make_tokenizer(args.vocab)
    print(f"vocabulary {len(tokenizer.tokens)}, merges {len(tokenizer.merges)}", flush=True)
    model = Model(config)
    print("parameters", sum(p.numel() for p in model.parameters()), flush=True)
    train(model, tokenizer, args)


if __name__ == "__main__":
    main()
