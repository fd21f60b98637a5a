// SPDX-License-Identifier: GPL-2.0-only
//
// What calls that read a clock are for. Nothing here is meant to stay in the
// file: names get marks in front, from which the tool tells which variable holds
// a deadline, where all of a function is known (src/dynaccel/patch/hwtime/marks.py).
//
//   hwseen_  a clock is read, and spatch can read the function
//   hwinit_  what is read goes into a variable, alone or with a time added
//   hwtest_  a comparison decides if the time is over
//   hwspan_  the time between two readings
//   hwkept_  such a time goes into a variable
//   hwused_  a use that does no harm: another deadline is made of it, or a message
//   hwmemb_  a deadline in a member of a struct

@seen@
identifier clk =~ "^(ktime_get(_raw|_boottime|_mono_fast)?(_ns)?|ktime_get_seconds|local_clock)$";
fresh identifier new = "hwseen_" ## clk;
@@
- clk
+ new
  ()

@init@
identifier clk =~ "^hwseen_";
fresh identifier new = "hwinit_" ## clk;
identifier T;
expression E;
@@
  T =
(
- clk
+ new
  ()
|
  \(ktime_add\|ktime_add_us\|ktime_add_ms\|ktime_add_ns\)(
- clk
+ new
  (), E)
|
- clk
+ new
  () + E
|
  E +
- clk
+ new
  ()
)

@derived@
identifier init.T;
fresh identifier new = "hwused_" ## T;
identifier U;
expression E;
@@
  U =
(
  \(ktime_add\|ktime_add_us\|ktime_add_ms\|ktime_add_ns\)(
- T
+ new
  , E)
|
- T
+ new
  + E
)

@member@
identifier clk =~ "^hwseen_";
fresh identifier new = "hwmemb_" ## clk;
identifier m;
identifier f =~ "^(ktime_(compare|after|before)|time_(after|before)(_eq)?64|ktime_(sub|us_delta|ms_delta))$";
binary operator bop = {<,>,<=,>=,-};
expression E, S;
@@
(
  S.m = \(ktime_add\|ktime_add_us\|ktime_add_ms\|ktime_add_ns\)(
- clk
+ new
  (), E)
|
  S.m =
- clk
+ new
  () + E
|
  S->m = \(ktime_add\|ktime_add_us\|ktime_add_ms\|ktime_add_ns\)(
- clk
+ new
  (), E)
|
  S->m =
- clk
+ new
  () + E
|
  f(
- clk
+ new
  (), \(S->m\|S.m\|S[E]\))
|
  f(\(S->m\|S.m\|S[E]\),
- clk
+ new
  ())
|
- clk
+ new
  () bop \(S->m\|S.m\|S[E]\)
|
  \(S->m\|S.m\|S[E]\) bop
- clk
+ new
  ()
)

@test@
identifier clk =~ "^hwseen_";
fresh identifier new = "hwtest_" ## clk;
identifier T;
fresh identifier U = "hwtest_" ## T;
identifier f =~ "^(ktime_(compare|after|before)|time_(after|before)(_eq)?64)$";
binary operator bop = {<,>,<=,>=};
expression E;
@@
(
  f(
- clk
+ new
  (),
- T
+ U
  )
|
  f(
- T
+ U
  ,
- clk
+ new
  ())
|
  f(
- clk
+ new
  (), \(ktime_add\|ktime_add_us\|ktime_add_ms\|ktime_add_ns\)(
- T
+ U
  , E))
|
  f(\(ktime_add\|ktime_add_us\|ktime_add_ms\|ktime_add_ns\)(
- T
+ U
  , E),
- clk
+ new
  ())
|
- clk
+ new
  () bop
- T
+ U
|
- T
+ U
  bop
- clk
+ new
  ()
|
- clk
+ new
  () bop
- T
+ U
  + E
)

// Each of two variables is marked for the other's sake: with a stranger, one stays unmarked.
@test_of_two@
identifier init.T;
identifier U;
fresh identifier new = "hwtest_" ## U;
identifier f =~ "^(ktime_(compare|after|before)|time_(after|before)(_eq)?64)$";
binary operator bop = {<,>,<=,>=};
@@
(
  f(T,
- U
+ new
  )
|
  f(
- U
+ new
  , T)
|
  T bop
- U
+ new
|
- U
+ new
  bop T
)

@span@
identifier clk =~ "^hwseen_";
fresh identifier new = "hwspan_" ## clk;
identifier T;
fresh identifier U = "hwspan_" ## T;
identifier f =~ "^ktime_(sub|us_delta|ms_delta)$";
@@
(
  f(
- clk
+ new
  (),
- T
+ U
  )
|
  f(
- T
+ U
  ,
- clk
+ new
  ())
|
- clk
+ new
  () -
- T
+ U
|
- T
+ U
  -
- clk
+ new
  ()
)

@span_of_two@
identifier init.T;
identifier U;
fresh identifier new = "hwspan_" ## U;
identifier f =~ "^ktime_(sub|us_delta|ms_delta)$";
@@
(
  f(T,
- U
+ new
  )
|
  f(
- U
+ new
  , T)
|
  T -
- U
+ new
|
- U
+ new
  - T
)

@span_test@
identifier s =~ "^hwspan_";
fresh identifier new = "hwtest_" ## s;
binary operator bop = {<,>,<=,>=};
expression E;
@@
(
  (<+...
- s
+ new
  ...+>) bop E
|
  E bop (<+...
- s
+ new
  ...+>)
)

@span_message@
identifier s =~ "^hwspan_";
fresh identifier new = "hwused_" ## s;
identifier f =~ "^(printk|(pr|dev|netdev|netif|drm|hid|wiphy|ibdev|v4l2)_(emerg|alert|crit|err|error|warn|notice|info|dbg|vdbg|debug)(_[a-z]+)*)$";
@@
  f(..., <+...
- s
+ new
  ...+>, ...)

@kept@
identifier s =~ "^hwspan_";
fresh identifier new = "hwkept_" ## s;
identifier D;
@@
  D = <+...
- s
+ new
  ...+>

@kept_test@
identifier kept.D;
fresh identifier new = "hwtest_" ## D;
binary operator bop = {<,>,<=,>=};
expression E;
@@
(
- D
+ new
  bop E
|
  E bop
- D
+ new
)

@kept_message@
identifier kept.D;
fresh identifier new = "hwused_" ## D;
identifier f =~ "^(printk|(pr|dev|netdev|netif|drm|hid|wiphy|ibdev|v4l2)_(emerg|alert|crit|err|error|warn|notice|info|dbg|vdbg|debug)(_[a-z]+)*)$";
@@
  f(...,
- D
+ new
  , ...)
