"""The samples of docs/operations.md and README.md, loaded by the programs that they are for and used as they say."""
