# Sourced after workspace.sh by what needs the developers' tools too: tests, linters, benchmarks.

prepare_tested() {
  prepare wheels
  in_venv test.stamp "Installing the test tools into ${venv##*/} (once)" \
    requirements/test.txt requirements/video.txt requirements/kos.txt requirements/top.txt \
    requirements/parquet.txt requirements/plot.txt
}
