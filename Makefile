# Commands for users and CI. Each recipe is one script in tools/; `make help` lists them.

SHELL := bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help walk test test-long test-kos test-unitree fuzz lint docs bench train clean

# Settings; give them before or after make.
DURATION ?= 20
VX ?= 0.3
VY ?= 0.0
WZ ?= 0.0
ARGS ?=
DISTROS ?= kilted jazzy
TEST_ARGS ?=
SAMPLES ?= 1000000
SEED ?= 1
export SAMPLES SEED DURATION VX VY WZ VIDEO PYTHON ROS_DISTRO DISTROS TEST_ARGS QUICK

help:
	@echo 'make walk    install dependencies (once), build, and walk the robot in MuJoCo'
	@echo '             DURATION=20 s, VX=0.3 VY=0.0 m/s, WZ=0.0 rad/s, VIDEO=film.mp4,'
	@echo '             ROS_DISTRO=kilted or jazzy, PYTHON=python3.12, ARGS="viewer:=true ..."'
	@echo 'make test    lint, then all tests on Kilted and Jazzy'
	@echo '             DISTROS="kilted", TEST_ARGS="-k lockstep"'
	@echo 'make test-long  the tests that take long, on Kilted and Jazzy'
	@echo 'make test-kos  test the graph on kos-sim, a real KOS server (first run installs 1.1 GB)'
	@echo 'make test-unitree  test the graph on a simulated Unitree G1 (first run installs 200 MB)'
	@echo 'make fuzz    read a million damaged messages of each type (SAMPLES=1000000, SEED=1)'
	@echo 'make lint    run ruff and mypy'
	@echo 'make docs    build docs/ as HTML in build/docs'
	@echo 'make bench   run the benchmarks: ten minutes; QUICK=1: one; ARGS="step node": parts'
	@echo 'make train   train the shipped policy again (training/README.md)'
	@echo 'make clean   remove virtual environments, builds and caches (not runs/)'

walk:
	@exec tools/walk.sh $(ARGS)

test:
	@exec tools/test.sh

test-long:
	@LONG=1 exec tools/test.sh

test-kos:
	@KOS_SIM=1 TEST_ARGS='-k kos_sim' DISTROS=$(firstword $(DISTROS)) exec tools/test.sh $(firstword $(DISTROS))

test-unitree:
	@UNITREE_SIM=1 TEST_ARGS='-k unitree_sim' DISTROS=$(firstword $(DISTROS)) exec tools/test.sh $(firstword $(DISTROS))

fuzz:
	@exec tools/fuzz.sh

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
