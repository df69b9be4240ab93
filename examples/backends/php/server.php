<?php
// A back end in PHP, without extensions or packages. It knows users by their session cookie, answers
// the event `add` and tells everybody, and publishes over the HTTP API when somebody orders.
//
//   php -S 127.0.0.1:8001 examples/backends/php/server.php
//
// This is PHP's own server for development; behind any other one, send both paths to this file.

declare(strict_types=1);

$secret = getenv("ROOMCAST_SECRET") ?: "a secret of at least 24 bytes";
$roomcast = getenv("ROOMCAST_URL") ?: "http://127.0.0.1:3000";
$key = getenv("ROOMCAST_KEY") ?: "rcast_an-example-of-a-key";
// The users by the cookie that the application has given them.
const SESSIONS = ["session=of-ann" => "ann"];
// Requests that are older, or have another clock, are refused, so that none can be repeated.
const TOLERATED_SECONDS = 300;

/** Whether Roomcast has sent this: the Standard Webhooks specification. */
function is_signed(string $secret, string $body): bool
{
    $header = fn (string $name) => $_SERVER["HTTP_WEBHOOK_" . $name] ?? "";
    [$id, $timestamp] = [$header("ID"), $header("TIMESTAMP")];
    if (!ctype_digit($timestamp) || abs(time() - (int) $timestamp) > TOLERATED_SECONDS) {
        return false;
    }
    $digest = hash_hmac("sha256", "$id.$timestamp.$body", $secret, true);
    $expected = "v1," . base64_encode($digest);
    foreach (explode(" ", $header("SIGNATURE")) as $signature) {
        if (hash_equals($expected, $signature)) {
            return true;
        }
    }
    return false;
}

function answer(array $call): array
{
    if ($call["type"] === "connect") {
        $user = SESSIONS[$call["headers"]["cookie"] ?? ""] ?? null;
        return $user ? ["identity" => ["user" => $user]] : []; // without a session: a guest
    }
    return $call["type"] === "event" && $call["event"] === "add" ? add($call) : [];
}

function add(array $call): array
{
    foreach ($call["args"] as $arg) {
        if (!is_int($arg) && !is_float($arg)) {
            return ["refuse" => ["code" => "not_numbers", "message" => "`add` takes numbers"]];
        }
    }
    $sum = array_sum($call["args"]);
    $told = ["event" => "sum", "args" => [$sum], "to" => ["space" => true], "except" => $call["connection"]];
    return ["ack" => [$sum], "do" => [["emit" => $told]]];
}

/** Tells everybody about an order, from outside of any event. Returns a status. */
function order(string $roomcast, string $key): int
{
    $item = ["event" => "order:created", "args" => [["at" => time()]], "to" => ["space" => true]];
    $request = [
        "method" => "POST",
        "header" => ["Authorization: Bearer $key", "Content-Type: application/json"],
        "content" => json_encode(["items" => [$item]]),
        "timeout" => 5,
    ];
    $context = stream_context_create(["http" => $request]);
    return @file_get_contents("$roomcast/api/v1/emit", false, $context) === false ? 502 : 204;
}

if ($_SERVER["REQUEST_URI"] === "/orders") {
    http_response_code(order($roomcast, $key));
    return;
}
$body = file_get_contents("php://input");
if (!is_signed($secret, $body)) {
    http_response_code(401);
    return;
}
header("Content-Type: application/json");
// An empty list would be `[]`, and the answer is an object.
echo json_encode((object) answer(json_decode($body, true)));
