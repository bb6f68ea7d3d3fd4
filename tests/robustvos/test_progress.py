"""What a loop says of itself where no person watches."""

from robustvos.progress import progress_bar


def test_shares_of_frames_are_said_in_whole_numbers(capsys):
    with progress_bar(total=58.458458458, desc="discover", unit="frame", every_s=0.0) as bar:
        bar.update(43.59613851139274)
    assert capsys.readouterr().err.splitlines()[-1].startswith("discover: 75 %, 44 of 58 frames, ")
