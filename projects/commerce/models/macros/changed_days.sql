{# The days whose rates came or went, in whatever zone they are days of: the one before and the one after too. #}
{% macro changed_days() -%}
    (
        select distinct rate_date + unnest([-1, 0, 1]) as day
        from {{ penstock_changes(source('silver', 'fx_rates')) }}
    )
{%- endmacro %}

{# Whether an instant lies in days of UTC. It stands bare, so that blocks of other days are not read. #}
{% macro lies_in(instant, first_day, last_day=none) -%}
    {{ instant }} >= {{ first_day }} and {{ instant }} < {{ last_day or first_day }} + 1
{%- endmacro %}
