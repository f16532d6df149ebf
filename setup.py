"""Packaging of the chest X-ray pneumonia pipeline; `make` installs it from the hashed lock."""

from pathlib import Path

from setuptools import find_packages, setup

# TFX 1.16 is the newest release with wheels for glibc < 2.39 and needs Python < 3.11; from Python
# 3.12 on it is TFX 1.21, on Debian 13. Each has a TensorFlow, a protobuf and a NumPy of its own.
TFX_1_16 = '; python_version < "3.11"'
TFX_1_21 = '; python_version >= "3.12"'

# To compile for Kubeflow Pipelines, to submit there, and to run in its pods. Asked for by name: TFX
# 1.21's own extra leaves them out from Python 3.12 on, where they run all the same. Beside TFX 1.16
# later releases would need protobuf 4, which its other parts do not go with.
KUBEFLOW = [
    f"kfp>=2.5,<2.6{TFX_1_16}",
    f"kfp>=2.16,<2.17{TFX_1_21}",
    f"kfp-kubernetes>=1.0,<1.1{TFX_1_16}",
    f"kfp-kubernetes>=2.16,<2.17{TFX_1_21}",
    f"kfp-pipeline-spec>=0.2.2,<0.3{TFX_1_16}",
    f"kfp-pipeline-spec>=2.16,<2.17{TFX_1_21}",
    # Object stores that are spoken to as Amazon's.
    "boto3>=1.34",
]

TEST = [
    *KUBEFLOW,
    "pytest>=8",
    "pytest-xdist>=3.6",
    # An object store on this machine.
    "moto[s3,server]>=5",
    # Drives the second reader's page.
    "selenium>=4",
    # The schemas that the manifests are checked against, without a network.
    "kubernetes-validate>=1.31",
    "check-jsonschema>=0.33",
    # For the field lists of KServe's resources alone: pyproject.toml leaves out what it needs to
    # run, which does not go with TFX.
    "kserve>=0.15",
    # Asks the embedded server what its description allows, and what it does not.
    "schemathesis>=4.30",
    "hypothesis>=6.168",
]

setup(
    name="cxr-pneumonia-pipeline",
    version="0.1.0",
    description="A TFX pipeline that trains, gates and serves a second reader for pneumonia "
    "on paediatric chest radiographs. Decision support, not a medical device.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    # `kubeflow/` is not a package of this distribution: that name belongs to the Kubeflow SDKs.
    packages=find_packages(
        include=["components", "components.*", "pipeline", "pipeline.*", "serving", "serving.*"]
    ),
    package_data={
        "components": ["*/*.pbtxt", "reporter/templates/*.html"],
        "pipeline": ["presets/*.yaml"],
        "serving": ["manifests/templates/*.yaml", "manifests/templates/*/*", "server/page/*"],
    },
    python_requires=">=3.10,!=3.11.*,<3.14",
    install_requires=[
        f"tfx==1.16.0{TFX_1_16}",
        f"tfx==1.21.0{TFX_1_21}",
        f"tensorflow>=2.16.2,<2.17{TFX_1_16}",
        f"tensorflow>=2.21,<2.22{TFX_1_21}",
        f"tensorflow-model-analysis>=0.47.1,<0.48{TFX_1_16}",
        f"tensorflow-model-analysis>=0.52,<0.53{TFX_1_21}",
        f"tensorflow-serving-api>=2.16.1,<2.17{TFX_1_16}",
        f"tensorflow-serving-api>=2.19,<2.22{TFX_1_21}",
        # From 2.68 the DirectRunner is Prism, a binary it would fetch at run time.
        f"apache-beam>=2.64,<2.68{TFX_1_16}",
        f"apache-beam>=2.64{TFX_1_21}",
        f"numpy>=1.26,<2{TFX_1_16}",
        f"numpy>=2,<3{TFX_1_21}",
        f"pandas>=1.5,<2{TFX_1_16}",
        f"pandas>=2,<4{TFX_1_21}",
        # Tables of films as Parquet: the names of their columns are read without their values.
        "pyarrow>=10",
        # Learning curves; TensorFlow writes them by it, and brings it no longer.
        "tensorboard>=2.16",
        "scikit-learn>=1.5,<2",
        # The headless build: opencv-python needs libGL, which servers and slim images lack.
        "opencv-python-headless>=4.11,<5",
        # Reads an image's header, and so its size, without decoding its pixels.
        "pillow>=10",
        # Intervals and the logistic function; scikit-learn brings it too.
        "scipy>=1.11",
        # Validates the configuration.
        "pydantic>=2.7,<3",
        "pyyaml>=6",
        # The client: DICOM files, compressed ones too, and requests to a model server.
        "pydicom>=3,<4",
        "python-gdcm>=3.0.24",
        "requests>=2.32",
        "urllib3>=2.2",
        "grpcio>=1.60",
        # The embedded server. Its HTTP is h11's, which bounds the headers of a request.
        "starlette>=1",
        "uvicorn>=0.54",
        "h11>=0.16",
        "prometheus-client>=0.22",
        # The command line.
        "click>=8.2",
        # Progress bars and tables.
        "rich>=13",
        # The report: figures and page.
        "matplotlib>=3.8",
        "jinja2>=3.1",
        # tensorflow-hub and tfx import pkg_resources, which setuptools 82 dropped.
        "setuptools<82",
    ],
    extras_require={
        "kubeflow": KUBEFLOW,
        # CUDA's libraries, for the image of nodes with a GPU.
        "gpu": [f"tensorflow[and-cuda]>=2.21,<2.22{TFX_1_21}"],
        "test": TEST,
        "dev": [
            *TEST,
            "mypy>=1.11",
            "ruff>=0.6",
            "types-PyYAML",
            "pandas-stubs<2",
            "types-requests",
        ],
    },
    entry_points={"console_scripts": ["cxr=pipeline.cli:main"]},
)
