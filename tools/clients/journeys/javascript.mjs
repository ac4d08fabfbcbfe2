// The SDK for JavaScript: a persistent spot request, its machine, tags, waiters and pages.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

// The packages lie in the directory that it is run in, not beside this file
const require = createRequire(`${process.cwd()}/`);
const sdk = require("@aws-sdk/client-ec2");

const client = new sdk.EC2Client({ region: "us-east-1", endpoint: process.env.AWS_ENDPOINT_URL });
const send = (name, input) => client.send(new sdk[`${name}Command`](input));

const { KeyName } = await send("CreateKeyPair", { KeyName: "js" });
const asked = await send("RequestSpotInstances", {
  SpotPrice: "0.65",
  Type: "persistent",
  LaunchSpecification: { ImageId: process.env.CLIENT_IMAGE, InstanceType: "m5d.4xlarge", KeyName },
  TagSpecifications: [
    { ResourceType: "spot-instances-request", Tags: [{ Key: "of", Value: "js" }] },
  ],
});
const sir = asked.SpotInstanceRequests[0].SpotInstanceRequestId;
await sdk.waitUntilSpotInstanceRequestFulfilled(
  { client, maxWaitTime: 60, minDelay: 1 },
  { SpotInstanceRequestIds: [sir] },
);
const found = await send("DescribeSpotInstanceRequests", {
  Filters: [{ Name: "tag:of", Values: ["js"] }],
});
const InstanceId = found.SpotInstanceRequests[0].InstanceId;
await sdk.waitUntilInstanceRunning({ client, maxWaitTime: 60, minDelay: 1 }, { InstanceIds: [InstanceId] });
console.log("running", sir, InstanceId);

await send("CreateTags", { Resources: [InstanceId], Tags: [{ Key: "Name", Value: "js" }] });
const pages = [];
for await (const page of sdk.paginateDescribeInstances(
  { client, pageSize: 5 },
  { Filters: [{ Name: "tag:Name", Values: ["js"] }] },
)) {
  pages.push(...page.Reservations);
}
assert.equal(pages[0].Instances[0].SpotInstanceRequestId, sir);

await send("CancelSpotInstanceRequests", { SpotInstanceRequestIds: [sir] });
await send("TerminateInstances", { InstanceIds: [InstanceId] });
await sdk.waitUntilInstanceTerminated({ client, maxWaitTime: 60, minDelay: 1 }, { InstanceIds: [InstanceId] });
await assert.rejects(send("DescribeInstances", { InstanceIds: ["i-0123456789abcdef0"] }), {
  name: "InvalidInstanceID.NotFound",
});
console.log("gone", InstanceId);
