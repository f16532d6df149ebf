"""Packaging of the chest X-ray pneumonia pipeline; `make` installs it from the hashed lock."""

from pathlib import Path

from setuptools import find_packages, setup

# To compile for Kubeflow Pipelines, to submit there, and to run in its pods. Later releases of the
# first three need protobuf 4, which TFX 1.16's other parts do not go with.
KUBEFLOW = [
    "kfp>=2.5,<2.6",
    "kfp-kubernetes>=1.0,<1.1",
    "kfp-pipeline-spec>=0.2.2,<0.3",
    # Object stores that are spoken to as Amazon's.
    "boto3>=1.34",
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
    packages=find_packages(include=["pipeline", "pipeline.*", "components", "components.*"]),
    package_data={
        "pipeline": ["presets/*.yaml", "report/templates/*.html", "server/page/*"],
        "components": ["*/*.pbtxt"],
    },
    # TFX 1.16 is the newest release with wheels for glibc < 2.39; it needs Python < 3.11.
    python_requires=">=3.10,<3.11",
    install_requires=[
        "tfx==1.16.0",
        "tensorflow>=2.16.2,<2.17",
        "tensorflow-model-analysis>=0.47.1,<0.48",
        "tensorflow-serving-api>=2.16.1,<2.17",
        # From 2.68 the DirectRunner is Prism, a binary it would fetch at run time.
        "apache-beam>=2.64,<2.68",
        "numpy>=1.26,<2",
        "pandas>=1.5,<2",
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
        "urllib3>=2",
        "grpcio>=1.60",
        # The embedded server. Its HTTP is h11's, which bounds the headers of a request.
        "starlette>=1",
        "uvicorn>=0.54",
        "h11>=0.16",
        "prometheus-client>=0.22",
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
        "dev": [
            *KUBEFLOW,
            "pytest>=8",
            "pytest-xdist>=3.6",
            # An object store on this machine.
            "moto[s3,server]>=5",
            # Drives the second reader's page.
            "selenium>=4",
            "mypy>=1.11",
            "ruff>=0.6",
            "types-PyYAML",
            "pandas-stubs<2",
            "types-requests",
            # The schemas that the manifests are checked against, without a network.
            "kubernetes-validate>=1.31",
            "check-jsonschema>=0.33",
            # For the field lists of KServe's resources alone: pyproject.toml leaves out what it
            # needs to run, which does not go with TFX.
            "kserve>=0.15",
            # Asks the embedded server what its description allows, and what it does not.
            "schemathesis>=4.30",
            "hypothesis>=6.168",
        ],
    },
    entry_points={"console_scripts": ["cxr=pipeline.cli:main"]},
)
