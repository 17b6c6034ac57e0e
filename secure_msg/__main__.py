"""`python -m secure_msg`: the command line."""

from secure_msg.cli.main import main

main(prog_name="secure-msg")
