"""Commands in a process of their own."""

import subprocess
import sys

CODE = (
    "import sys; from recipes._cli.main import main; "
    "status = main(sys.argv[1:]); "
    "print({'tensorflow', 'keras'} & set(sys.modules)); sys.exit(status)"
)


def without_tensorflow(*arguments):
    """Runs `toolkit`; its last line names what of TensorFlow was imported."""
    return subprocess.run(
        [sys.executable, "-c", CODE, *map(str, arguments)],
        capture_output=True,
        text=True,
    )
