{# The last of the lower four fifths, in the order of a value and, where that is equal, of persons. #}
{% macro ends_of_fifths(value) -%}
    quantile_disc(row({{ value }}, person_id), [0.2, 0.4, 0.6, 0.8])
{%- endmacro %}

{# Which fifth a value and its person are in, from 1; null where there is none to be in. #}
{% macro fifth(value, ends) -%}
    cast(
        1 {%- for n in range(1, 5) %} + cast(row({{ value }}, person_id) > {{ ends }}[{{ n }}] as integer){% endfor %}
        as integer
    )
{%- endmacro %}
