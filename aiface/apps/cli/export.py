"""The command `export`: a detector as a file that other programs run."""

import argparse
import sys

FORMATS = ("onnx", "openvino", "tflite")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m aiface export`."""
    parser.add_argument("detector", metavar="BUNDLE", help="a detector's folder, such as weights/mobilenet_v2")
    parser.add_argument("--to", required=True, choices=FORMATS, help="onnx takes tf2onnx, onnx and onnxruntime")
    parser.add_argument("--clips", action="store_true", help="its network for clips, where that is another")
    parser.add_argument("--out", default="output/export", metavar="FOLDER", help="where to (default %(default)s)")


def run(options: argparse.Namespace) -> int:
    """Export, and say how closely the file follows the bundle. Raises `ModelError` where it does not."""
    from aiface.training.export import EPSILON, export

    path, card, difference = export(options.detector, options.to, options.out, options.clips)
    print(f"P(AI) differs by {difference:.1e} at most from the bundle's own ({EPSILON:g} are allowed)")
    for written in (path, card):
        print(f"aiface: wrote {written}", file=sys.stderr)
    return 0
