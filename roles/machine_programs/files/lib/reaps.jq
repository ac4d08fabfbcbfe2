# The journal of reaps, an array of its entries in the order of time, in words.

def seconds: try (. | fromdateiso8601) catch null;
def clock: if seconds then seconds | strftime("%H:%M UTC") else "an unknown time" end;
def day: if seconds then seconds | strftime("%Y-%m-%d %H:%M") else "?" end;
def span:
  if type != "number" then "an unknown time"
  else floor
    | [[(. / 3600 | floor), "h"], [(. % 3600 / 60 | floor), "min"], [. % 60, "s"]]
    | map(select(.[0] > 0) | "\(.[0]) \(.[1])")[:2]
    | if length == 0 then "0 s" else join(" ") end
  end;
# EC2's status codes of a spot request that say why a machine went
def reason:
  (. // "unknown" | tostring) as $code
  | {"no-capacity": "no capacity", "by-price": "the price", "price-too-low": "the price",
     "by-experiment": "an experiment", "by-user": "by hand", "idle": "nobody worked on it"} as $words
  | [$words | to_entries[] | select(.key as $tail | $code | endswith($tail)) | .value]
  | first // $code;
# Adding makes 0.19 of 0.190000
def dollars: if type == "number" then "$\(. + 0)/h" else null end;
def trees: try (.trees | if type == "array" then length elif type == "number" then . else 0 end) catch 0;
def plural(word): "\(.) \(word)\(if . == 1 then "" else "s" end)";

# What belongs together: each return, with the notice to the machine that went
def pairs:
  . as $all
  | [range(length) as $at | $all[$at] | select(.event == "back") | . as $back
     | . + {notice: ([$all[:$at][] | select(.event == "notice" and .instance == $back.previous)] | last)}];

def sentence:
  ([(.why // .notice.why | reason | select(. != "unknown")), (.price | dollars)] | map(values)
   | if length > 0 then " (\(join(", ")))" else "" end) as $why
  | (.notice.saved | trees) as $trees
  | (if .notice.why | tostring | test("by-user$|^idle$") then "This machine went at"
     elif .notice then "EC2 took this machine at" else "This machine went without a notice at" end)
    + " \(.last_seen | clock)\($why) and it was back after \(.away_seconds | span)"
    + (if $trees > 0 then
        "; \($trees | plural("work tree")) \(if $trees == 1 then "was" else "were" end) saved: cloudtop-restore"
       else "" end);

def table:
  [["WENT (UTC)", "AWAY", "WHY", "PRICE", "SAVED", "NOW"]]
  + map([(.last_seen | day), (.away_seconds | if type == "number" then span else "?" end),
         (.why | reason), (.price | dollars // "?"),
         (.notice.saved | trees | plural("work tree")), (.instance // "?" | tostring)])
  | [transpose[] | map(length) | max] as $widths
  | .[] | [range(length) as $at | .[$at] + " " * ($widths[$at] - (.[$at] | length) + 2)] | add
  | sub(" +$"; "");
