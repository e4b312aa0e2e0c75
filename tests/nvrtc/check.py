"""Compiles the CUDA kernels as the program does at run time, to PTX and on to machine code: `make check-cuda`. It needs no GPU.

    python3 tests/nvrtc/check.py CUDA_HOME

CUDA_HOME is a directory with lib/libnvrtc.so.* and bin/ptxas, such as nvidia/cu13 of PyPI's packages. Prints registers and spills.
"""

import ctypes
import itertools
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parent.parent.parent
FOLDER = ROOT / "src/nn/cuda"
HAN = FOLDER / "han.cu"
KERNELS = {"normalise", "forward", "backward", "finish"}
# The other sources, with what they are compiled with besides a type. The .rs of the same name launches their kernels.
OTHERS = {"image.cu": ["-DTHREADS=256", "-DEPSILON=1e-5"], "optimizer.cu": []}
ARCHITECTURES = ["sm_80"]
# Widths of the experiments, one that fills no warp, and the largest, with few and many samples.
PROGRAMS = list(itertools.product(("float", "double"), (1, 30, 64, 100, 256, 1024), (False, True)))


def options(real, width, many):
    return [f"-D{name}={value}" for name, value in constants(real, width, many).items()]


def constants(real, width, many):
    """As `Variant` in src/nn/cuda/variant.rs chooses them."""
    entries = -(-width // 32) * {"float": 4, "double": 8}[real]  # bytes a lane
    samples = max(n for n in (1, 2, 4) if n == 1 or (many and n * entries <= 128))
    warps = max(n for n in (1, 2, 4, 8) if n * entries <= 512)
    return {"REAL": real, "WIDTH": width, "WARPS": warps, "SAMPLES": samples, "SHORTEST": "1e-18"}


def main():
    home = pathlib.Path(sys.argv[1])
    library = next(iter(sorted(home.glob("lib/libnvrtc.so.*"))), None)
    if library is None:
        sys.exit(f"there is no lib/libnvrtc.so in {home}")
    for builtins in home.glob("lib/libnvrtc-builtins.so.*"):
        ctypes.CDLL(str(builtins))  # nvrtc looks for it by name alone
    nvrtc = ctypes.CDLL(str(library))
    for real, width, many in PROGRAMS:
        ptx = compiled(nvrtc, HAN, options(real, width, many))
        found = set(re.findall(r"\.entry (\w+)", ptx))
        if found != KERNELS:
            sys.exit(f"{HAN.name} has the kernels {sorted(found)}, not {sorted(KERNELS)}")
        for architecture in ARCHITECTURES:
            samples = "many" if many else "few"
            print(f"{real} {width:4}, {samples} samples, {architecture}: {assembled(home, ptx, architecture)}")
    for (name, others), real in itertools.product(OTHERS.items(), ("float", "double")):
        ptx = compiled(nvrtc, FOLDER / name, [f"-DREAL={real}", *others])
        launches = (FOLDER / name).with_suffix(".rs").read_text()
        launched = re.findall(r'launched!\(\s*T,\s*device,\s*"(\w+)"|kernel\(device, .*?, "(\w+)"\)', launches)
        found, launched = set(re.findall(r"\.entry (\w+)", ptx)), {one or other for one, other in launched}
        if found != launched:
            sys.exit(f"{name} has the kernels {sorted(found)}, and {sorted(launched)} are launched")
        for architecture in ARCHITECTURES:
            print(f"{name}, {real}, {architecture}: {assembled(home, ptx, architecture)}")


def compiled(nvrtc, source, options):
    """PTX for the oldest architecture that this nvrtc knows, as the program asks for it."""
    program = ctypes.c_void_p()
    text = source.read_bytes()
    check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, source.name.encode(), 0, None, None))
    array = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    status = nvrtc.nvrtcCompileProgram(program, len(options), array)
    log = fetched(nvrtc, program, "ProgramLog")
    if status != 0 or log.strip():
        sys.exit(f"nvrtc {' '.join(options)}: status {status}\n{log}")
    return fetched(nvrtc, program, "PTX")


def fetched(nvrtc, program, what):
    size = ctypes.c_size_t()
    check(getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    text = ctypes.create_string_buffer(size.value)
    check(getattr(nvrtc, f"nvrtcGet{what}")(program, text))
    return text.value.decode()


def check(status):
    if status != 0:
        sys.exit(f"nvrtc: status {status}")


def assembled(home, ptx, architecture):
    """Registers of each kernel, and the bytes that it spills."""
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "han.ptx"
        source.write_text(ptx)
        call = [home / "bin/ptxas", "-v", f"-arch={architecture}", "-o", source.with_suffix(".cubin"), source]
        result = subprocess.run(call, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"ptxas for {architecture}: {result.stdout}{result.stderr}")
    about = re.findall(
        r"Compiling entry function '(\w+)'.*?(\d+) bytes spill stores.*?Used (\d+) registers", result.stderr, re.DOTALL
    )
    spills = {name: f" (spills {spilled} bytes)" for name, spilled, _ in about if spilled != "0"}
    return "registers of " + ", ".join(f"{name} {registers}{spills.get(name, '')}" for name, _, registers in sorted(about))


if __name__ == "__main__":
    main()
