# Sourced after workspace.sh by what needs the developers' tools too: tests, linters, benchmarks.

prepare_tested() {
  prepare wheels
  in_venv test.stamp "Installing the test tools into ${venv##*/} (once)" \
    requirements/test.txt requirements/video.txt requirements/kos.txt \
    requirements/unitree.txt requirements/top.txt \
    requirements/parquet.txt requirements/plot.txt requirements/report.txt \
    requirements/foxglove.txt
}

peer=$root/.kinfer-venv

make_peer() {
  "$base" -m venv --clear "$peer" &&
    "$peer/bin/python" -m pip install -qq --disable-pip-version-check --no-input \
      --only-binary :all: -r requirements/kinfer-peer.txt
}

# The original kinfer pins an ONNX Runtime of its own, so it cannot share our environment. Without
# it the tests that compare with it skip, saying so.
find_peer() {
  local made
  made=$({ echo "$root"; "$base" -VV; cat requirements/kinfer-peer.txt; } | digest)
  if [ "$(cat "$peer/base.stamp" 2>/dev/null)" != "$made" ]; then
    if ! stage 'Making .kinfer-venv, to compare with the original kinfer (once)' make_peer; then
      echo 'No wheel of kinfer for this machine: the tests against it will skip.'
      return 0
    fi
    echo "$made" >"$peer/base.stamp"
  fi
  export KINFER_PEER_PYTHON=$peer/bin/python
}
