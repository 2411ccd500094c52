{# The day of an instant on the calendar of a place. #}
{% macro local_day(zone, instant) -%}
    cast(timezone({{ zone }}, {{ instant }}) as date)
{%- endmacro %}

{# An amount in the store's base currency, not rounded. Null without a rate, 0 where nothing is converted. #}
{% macro in_base(amount, rate) -%}
    cast(case when {{ amount }} = 0 then 0 else {{ amount }} * {{ rate }} end as decimal(38, 12))
{%- endmacro %}

{# A sum of money in base currency; 0 where there is nothing to add. #}
{% macro base_sum(amount, condition=none) -%}
    cast(
        coalesce(sum({{ amount }}){% if condition is not none %} filter (where {{ condition }}){% endif %}, 0)
        as decimal(38, 12)
    )
{%- endmacro %}

{# A sum of money in the currency of the order; 0 where there is nothing to add. #}
{% macro order_sum(amount, condition=none) -%}
    cast(
        coalesce(sum({{ amount }}){% if condition is not none %} filter (where {{ condition }}){% endif %}, 0)
        as decimal(24, 4)
    )
{%- endmacro %}

{# Money divided by a number, in whole numbers (a decimal divided is a float): to nine places, null by zero. #}
{% macro per_piece(amount, pieces) -%}
    cast(
        cast(cast({{ amount }} * 1000000000 as hugeint) // nullif({{ pieces }}, 0) as decimal(38, 0))
        * cast(0.000000001 as decimal(10, 9)) as decimal(38, 9)
    )
{%- endmacro %}

{# A whole number of ten-thousandths as an amount. #}
{% macro ten_thousandths(number) -%}
    cast(cast({{ number }} as decimal(24, 0)) * cast(0.0001 as decimal(5, 4)) as decimal(24, 4))
{%- endmacro %}

{# A sum of amounts in base currency that are sums already; 0 where there is nothing to add. #}
{% macro total(amount) -%}
    cast(coalesce(sum({{ amount }}), 0) as decimal(38, 12))
{%- endmacro %}
