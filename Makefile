# Everything a user or a CI runs. Each recipe is one script in tools/, so that what happens can be
# read in one place; `make help` says what there is.

SHELL := bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help walk test test-kos lint docs bench train clean

# What to walk, and with what; all can be given in front of make or behind it.
DURATION ?= 20
VX ?= 0.3
VY ?= 0.0
WZ ?= 0.0
ARGS ?=
DISTROS ?= kilted jazzy
TEST_ARGS ?=
export DURATION VX VY WZ VIDEO PYTHON ROS_DISTRO DISTROS TEST_ARGS QUICK

help:
	@echo 'make walk    install what is needed (once), build, and walk the robot in MuJoCo'
	@echo '             DURATION=20 s, VX=0.3 VY=0.0 m/s, WZ=0.0 rad/s, VIDEO=film.mp4,'
	@echo '             ROS_DISTRO=kilted or jazzy, PYTHON=python3.12, ARGS="viewer:=true ..."'
	@echo 'make test    lint, then the whole test suite on Kilted and on Jazzy'
	@echo '             DISTROS="kilted", TEST_ARGS="-k lockstep"'
	@echo 'make test-kos  the graph on kos-sim, a real KOS server (installs 1.1 GB the first time)'
	@echo 'make lint    ruff and mypy alone'
	@echo 'make docs    the pages of docs/ as HTML, into build/docs'
	@echo 'make bench   the benchmarks, in ten minutes; QUICK=1: one; ARGS="step node"'
	@echo 'make train   train the policy that ships with the package again (see training/README.md)'
	@echo 'make clean   remove what these made: virtual environments, builds, caches (not runs/)'

walk:
	@exec tools/walk.sh $(ARGS)

test:
	@exec tools/test.sh

test-kos:
	@KOS_SIM=1 TEST_ARGS='-k kos_sim' DISTROS=$(firstword $(DISTROS)) exec tools/test.sh $(firstword $(DISTROS))

lint:
	@exec tools/lint.sh

docs:
	@exec tools/docs.sh

bench:
	@exec tools/bench.sh $(ARGS)

train:
	@exec tools/train.sh $(ARGS)

clean:
	rm -rf build install log .venv .venv-* .kinfer-venv *.egg-info MUJOCO_LOG.TXT
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
