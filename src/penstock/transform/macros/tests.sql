{# Rows of the model in which one of the columns is null. One scan for many columns. #}
{% test complete(model, columns) %}
select *
from {{ model }}
where {% for column in columns %}{{ column }} is null{% if not loop.last %} or {% endif %}{% endfor %}
{% endtest %}

{# Rows of the model for which the expression is false; null passes, as in a check constraint. #}
{% test holds(model, expression) %}
select *
from {{ model }}
where not ({{ expression }})
{% endtest %}

{# Groups of rows that share the values of the columns. #}
{% test unique_together(model, columns) %}
select
    {{ columns | join(', ') }},
    count(*) as n_records
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}

{#
    Values of a column that more than one row has, where a value says which `keys` its row is of, as a hash of them and
    more does. A build that makes some of these keys anew looks for equal values among their rows alone.
#}
{% test unique_within(model, column_name, keys) %}
{{ dbt.default__test_unique(model, column_name) }}
{% endtest %}

{# The whole row instead of the null alone, so that a report can name it. #}
{% macro default__test_not_null(model, column_name) %}
select *
from {{ model }}
where {{ column_name }} is null
{% endmacro %}
