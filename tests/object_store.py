"""An object store on this machine, spoken to as Amazon's."""

import boto3


class Store:
    """Its objects."""

    def __init__(self, url: str) -> None:
        self.client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")

    def put(self, bucket: str, objects: dict[str, bytes]) -> None:
        for key, content in objects.items():
            self.client.put_object(Bucket=bucket, Key=key, Body=content)

    def objects(self, bucket: str) -> dict[str, bytes]:
        listed = self.client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {
            item["Key"]: self.client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            for item in listed
        }
