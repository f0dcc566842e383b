"""Can torchaudio be used? Its builds must be those of torch; whatever else is wrong is said in one line.

It is tried when it is asked for.
"""

from __future__ import annotations

from audiosearch.training.options import TrainingFailed

PAIR = "pip install torch==2.9.1 'torchaudio==2.9.*'"


def check_torchaudio(needed: bool) -> None:
    """Raise `TrainingFailed` where torchaudio is installed and cannot be loaded, or is `needed` and
    not there.

    A build that does not fit torch's takes `import transformers` down with it, so this comes first.
    """
    try:
        import torchaudio
        import torchaudio.functional  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "torchaudio":
            if needed:
                raise TrainingFailed(
                    "--augment full needs torchaudio, which is not installed: pip install "
                    f"'audiosearch[augment]' (known to work together: {PAIR}), or use --augment plain"
                ) from error
            return
        line = " ".join(str(error).split())[:120]
        raise TrainingFailed(
            f"torchaudio is installed and cannot be loaded, since its build is not torch's "
            f"({line}): install two that fit ({PAIR}), or pip uninstall torchaudio"
        ) from error
