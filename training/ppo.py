"""Proximal policy optimisation, with networks that cannot tell left from right.

A biped is its own mirror image, so the best policy is too: what it does in a mirrored state is
the mirror of what it does in the state itself. Both networks here have that property by
construction. It leaves no favourite side, hence no drift to it, and each experience teaches both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from training import interface as io
from training.env import WalkEnv

HIDDEN = (128, 128)
HORIZON = 24
EPOCHS = 4
MINIBATCHES = 4
DISCOUNT = 0.99
GAE_LAMBDA = 0.95
CLIP = 0.2
ENTROPY_BONUS = 0.004
WANTED_KL = 0.01
LEARNING_RATE = 5e-4
LEARNING_RATE_RANGE = (1e-4, 1e-3)
FIRST_LOG_STD = -0.9
LOG_STD_RANGE = (-2.5, 0.0)
MAX_GRADIENT = 1.0


Mirror = tuple[np.ndarray, np.ndarray]
Layers = list[tuple[np.ndarray, np.ndarray]]


class SymmetricLinear(nn.Module):
    """A linear layer that commutes with mirroring: free weights, averaged with their mirror image.

    That makes a layer of ordinary size and cost, which is also how it is exported.
    """

    input_indices: torch.Tensor
    input_signs: torch.Tensor
    output_indices: torch.Tensor
    output_signs: torch.Tensor

    def __init__(self, inputs: Mirror, outputs: Mirror, gain: float = 1.0) -> None:
        """Make a layer between two vectors that are mirrored so."""
        super().__init__()
        width = len(inputs[0])
        bound = gain * (2.0 / width) ** 0.5
        self.free_weight = nn.Parameter(
            torch.empty(len(outputs[0]), width).uniform_(-bound, bound)
        )
        self.free_bias = nn.Parameter(torch.zeros(len(outputs[0])))
        for name, (indices, signs) in (('input', inputs), ('output', outputs)):
            self.register_buffer(f'{name}_indices', torch.from_numpy(indices), persistent=False)
            self.register_buffer(f'{name}_signs', torch.from_numpy(signs), persistent=False)

    @property
    def weight(self) -> torch.Tensor:
        """The symmetric weights: W = (V + M_out V M_in) / 2."""
        mirrored = self.free_weight[self.output_indices][:, self.input_indices]
        mirrored = mirrored * self.output_signs[:, None] * self.input_signs
        return 0.5 * (self.free_weight + mirrored)

    @property
    def bias(self) -> torch.Tensor:
        """The symmetric bias."""
        return 0.5 * (self.free_bias + self.free_bias[self.output_indices] * self.output_signs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the layer."""
        return nn.functional.linear(x, self.weight, self.bias)


def symmetric_network(inputs: Mirror, outputs: Mirror, last_gain: float = 1.0) -> nn.Sequential:
    """Build an ELU network that treats left and right alike.

    Hidden units come in pairs that a mirror swaps. A small last gain makes it start out doing
    little.
    """
    layers: list[nn.Module] = []
    for width in HIDDEN:
        pairs = np.arange(width).reshape(2, -1)[::-1].flatten()
        hidden = (pairs, np.ones(width, np.float32))
        layers += [SymmetricLinear(inputs, hidden), nn.ELU()]
        inputs = hidden
    return nn.Sequential(*layers, SymmetricLinear(inputs, outputs, last_gain))


def actor_network(observation: io.Layout = io.OBSERVATION) -> nn.Sequential:
    """Build the policy's network: a mirrored observation gives the mirrored action."""
    return symmetric_network(io.mirror(observation), io.mirror(io.ACTION), last_gain=0.01)


def critic_network(observation: io.Layout = io.OBSERVATION) -> nn.Sequential:
    """Build the value's network: a state and its mirror image are worth the same."""
    no_side = (np.zeros(1, np.int64), np.ones(1, np.float32))
    return symmetric_network(io.mirror(observation + io.PRIVILEGED), no_side)


def adopt(
    network: nn.Sequential,
    layers: Layers,
    observation: io.Layout,
    source: io.Layout = io.OBSERVATION,
) -> None:
    """Make a network, which sees `observation`, start from the weights of another.

    :param layers: of one that sees `source`; what it sees and this one does not is left out, what
        this one sees besides begins with weight zero.
    """
    columns = {}
    start = 0
    for name, width, _ in source:
        columns[name] = slice(start, start + width)
        start += width
    (first, bias), *others = layers
    parts = [
        first[:, columns[name]] if name in columns else np.zeros((len(first), width), np.float32)
        for name, width, _ in observation
    ]
    linear = [layer for layer in network if isinstance(layer, SymmetricLinear)]
    adopted = [(np.concatenate(parts, 1), bias), *others]
    for layer, (weight, offset) in zip(linear, adopted, strict=True):
        layer.free_weight.data.copy_(torch.tensor(weight))
        layer.free_bias.data.copy_(torch.tensor(offset))


def dense_layers(network: nn.Sequential) -> Layers:
    """Return weight and bias of each linear layer as plain arrays."""
    return [
        (layer.weight.detach().numpy(), layer.bias.detach().numpy())
        for layer in network
        if isinstance(layer, SymmetricLinear)
    ]


def gaussian_log_prob(
    action: torch.Tensor, mean: torch.Tensor, log_std: torch.Tensor
) -> torch.Tensor:
    """Return the log density of actions, less a constant that cancels in every ratio."""
    return (-0.5 * ((action - mean) / log_std.exp()) ** 2 - log_std).sum(1)


class Learner:
    """The two networks, their optimiser, and the noise they explore with."""

    def __init__(
        self, seed: int, observation: io.Layout = io.OBSERVATION, layers: Layers | None = None
    ) -> None:
        """Make fresh networks; the same seed makes the same ones.

        :param layers: those of the walk, for the actor to start from.
        """
        torch.manual_seed(seed)
        self.actor = actor_network(observation)
        self.critic = critic_network(observation)
        if layers is not None:
            adopt(self.actor, layers, observation)
        # One standard deviation a joint of one leg: the other leg explores as much.
        self.leg_log_std = nn.Parameter(torch.full((io.JOINTS // 2,), FIRST_LOG_STD))
        self.parameters = [
            *self.actor.parameters(), *self.critic.parameters(), self.leg_log_std,
        ]  # fmt: skip
        self.learning_rate = LEARNING_RATE
        self.optimizer = torch.optim.Adam(self.parameters, lr=LEARNING_RATE)
        self.generator = torch.Generator().manual_seed(seed)

    @property
    def log_std(self) -> torch.Tensor:
        """The exploration noise of all joints."""
        return self.leg_log_std.repeat(2)

    def state(self) -> dict[str, Any]:
        """Return all that changes."""
        return {
            'actor': self.actor.state_dict(),
            'critic': self.critic.state_dict(),
            'leg_log_std': self.leg_log_std.detach().clone(),
            'optimizer': self.optimizer.state_dict(),
            'learning_rate': self.learning_rate,
            'generator': self.generator.get_state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken."""
        self.actor.load_state_dict(state['actor'])
        self.critic.load_state_dict(state['critic'])
        self.leg_log_std.data.copy_(state['leg_log_std'])
        self.optimizer.load_state_dict(state['optimizer'])
        self.learning_rate = state['learning_rate']
        self.generator.set_state(state['generator'])

    @torch.no_grad()
    def value(self, critic_observation: np.ndarray) -> torch.Tensor:
        """Estimate the return from each state."""
        value: torch.Tensor = self.critic(torch.from_numpy(critic_observation))[:, 0]
        return value

    @torch.no_grad()
    def collect(self, env: WalkEnv) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
        """Walk for a while, and work out how much better each action did than expected."""
        rows: dict[str, list[torch.Tensor]] = {
            name: [] for name in ('actor', 'critic', 'action', 'mean', 'value', 'reward', 'done')
        }
        logs = []
        for _ in range(HORIZON):
            actor, critic = (torch.from_numpy(x) for x in env.observe())
            mean, value = self.actor(actor), self.critic(critic)[:, 0]
            noise = torch.randn(mean.shape, generator=self.generator)
            action = mean + self.log_std.exp() * noise
            reward, fallen, timeout, log = env.step(action.numpy().astype(np.float64))
            if timeout.any():  # time ran out, the walk did not end: count what would have come
                future = self.value(env.critic_observation()).numpy()
                reward = reward + DISCOUNT * future * timeout
            done = fallen | timeout
            env.reset_where(done)
            step = (actor, critic, action, mean, value,
                    torch.from_numpy(reward.astype(np.float32)),
                    torch.from_numpy(done.astype(np.float32)))  # fmt: skip
            for name, item in zip(rows, step, strict=True):
                rows[name].append(item)
            logs.append({'reward': float(reward.mean()), **log})
        batch = {name: torch.stack(items) for name, items in rows.items()}
        self._add_advantages(batch, self.value(env.critic_observation()))
        means = {name: float(np.mean([log[name] for log in logs])) for name in logs[0]}
        return {name: item.flatten(0, 1) for name, item in batch.items()}, means

    @staticmethod
    def _add_advantages(batch: dict[str, torch.Tensor], last_value: torch.Tensor) -> None:
        """Generalised advantage estimation, backwards through the batch."""
        advantage = torch.zeros_like(batch['value'])
        running = torch.zeros_like(last_value)
        next_value = last_value
        for t in reversed(range(len(advantage))):
            alive = 1.0 - batch['done'][t]
            surprise = batch['reward'][t] + DISCOUNT * next_value * alive - batch['value'][t]
            running = surprise + DISCOUNT * GAE_LAMBDA * alive * running
            advantage[t], next_value = running, batch['value'][t]
        batch['return'] = advantage + batch['value']
        batch['advantage'] = (advantage - advantage.mean()) / (advantage.std() + 1e-8)

    def update(self, batch: dict[str, torch.Tensor], progress: float) -> dict[str, float]:
        """Improve both networks on one batch.

        :param progress: steps get smaller from 0.5 on, and stay small from 1 on.
        """
        old_log_std = self.log_std.detach().clone()
        batch['log_prob'] = gaussian_log_prob(batch['action'], batch['mean'], old_log_std)
        samples = len(batch['log_prob'])
        for _ in range(EPOCHS):
            order = torch.randperm(samples, generator=self.generator)
            for rows in order.chunk(MINIBATCHES):
                part = {name: batch[name][rows] for name in batch}
                mean = self.actor(part['actor'])
                loss = self._loss(part, mean)
                self.optimizer.zero_grad()
                torch.autograd.backward(loss)
                nn.utils.clip_grad_norm_(self.parameters, MAX_GRADIENT)
                self.optimizer.step()
                self._adapt_learning_rate(part['mean'], mean.detach(), old_log_std, progress)
        with torch.no_grad():
            self.leg_log_std.clamp_(*LOG_STD_RANGE)
        return {
            'std': self.log_std.detach().exp().mean().item(),
            'learning_rate': self.learning_rate,
        }

    def _loss(self, part: dict[str, torch.Tensor], mean: torch.Tensor) -> torch.Tensor:
        log_std = self.log_std
        log_prob = gaussian_log_prob(part['action'], mean, log_std)
        ratio = (log_prob - part['log_prob']).exp()
        advantage = part['advantage']
        gain = torch.min(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage).mean()
        value_error = ((self.critic(part['critic'])[:, 0] - part['return']) ** 2).mean()
        loss: torch.Tensor = value_error - gain - ENTROPY_BONUS * log_std.sum()
        return loss

    @torch.no_grad()
    def _adapt_learning_rate(
        self,
        old_mean: torch.Tensor,
        mean: torch.Tensor,
        old_log_std: torch.Tensor,
        progress: float,
    ) -> None:
        """Keep the policy's change per batch near the wanted one."""
        log_std = self.log_std
        variance = (old_log_std.exp() ** 2 + (mean - old_mean) ** 2) / (2 * log_std.exp() ** 2)
        kl = (log_std - old_log_std + variance - 0.5).sum(1).mean().item()
        low, high = LEARNING_RATE_RANGE
        high = low + (high - low) * min(1.0, max(0.05, 2.0 * (1.0 - progress) + 0.05))
        if kl > 2.0 * WANTED_KL:
            self.learning_rate /= 1.5
        elif kl < 0.5 * WANTED_KL:
            self.learning_rate *= 1.5
        self.learning_rate = min(max(self.learning_rate, low), high)
        for group in self.optimizer.param_groups:
            group['lr'] = self.learning_rate
