"""ChestXrayExampleGen: a folder of labelled films in, checked and split Examples out."""
